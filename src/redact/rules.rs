//! What each rule is for, in words: the list that people read.

/// A rule as people know it. One may have several shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What it masks.
    pub what: &'static str,
    /// A line with an invented secret that it masks.
    pub example: &'static str,
}

/// All built-in rules, in the order in which they are tried. Known values go before them.
pub const RULES: &[Rule] = &[
    Rule {
        name: "private-key",
        what: "the body of a private key in PEM form, over all its lines",
        example: "-----BEGIN PRIVATE KEY----- MC4CAQAwBQYDK2VwBCIEIA -----END PRIVATE KEY-----",
    },
    Rule {
        name: "snmp-config",
        what: "SNMP communities in device configuration",
        example: "snmp-server community Zx9kPq RO",
    },
    Rule {
        name: "snmpd-conf",
        what: "communities in snmpd.conf and snmptrapd.conf",
        example: "rocommunity Zx9kPq 10.0.0.0/8",
    },
    Rule {
        name: "snmp-host",
        what: "the community that a device sends traps with",
        example: "snmp-server host 10.1.1.1 version 2c Zx9kPq",
    },
    Rule {
        name: "snmp-v3",
        what: "authentication and privacy passphrases of SNMPv3 users",
        example: "createUser noc SHA Auth3ntic AES Priv4te9",
    },
    Rule {
        name: "snmp-command",
        what: "communities and passphrases as arguments of SNMP tools",
        example: "snmpwalk -v2c -c Zx9kPq sw1",
    },
    Rule {
        name: "enable-secret",
        what: "passwords of the privileged mode",
        example: "enable secret 5 $1$abcd$ZxZxZxZxZx",
    },
    Rule {
        name: "login",
        what: "passwords of local users of a device",
        example: "username ana privilege 15 password 0 Hunter22",
    },
    Rule {
        name: "device-key",
        what: "passwords and keys that follow the number of their form",
        example: "key 7 0011223344556677",
    },
    Rule {
        name: "password",
        what: "a password in a line of device configuration",
        example: "neighbor 10.0.0.2 password S3ssion!",
    },
    Rule {
        name: "set-key",
        what: "secrets that a `set` line gives",
        example: "set psksecret Ik3Psk99",
    },
    Rule {
        name: "routing-key",
        what: "keys of routing protocols, NTP and key chains",
        example: "ip ospf message-digest-key 1 md5 0sPf-k3y",
    },
    Rule {
        name: "fhrp-key",
        what: "authentication of HSRP, VRRP and GLBP",
        example: "vrrp 20 authentication text Vrrp8chr",
    },
    Rule {
        name: "aaa-key",
        what: "shared secrets of RADIUS and TACACS+ servers",
        example: "tacacs-server host 10.9.9.9 key T4cacs+k",
    },
    Rule {
        name: "bare-key",
        what: "a line of device configuration that is `key` and a value",
        example: "key T4cacs+k",
    },
    Rule {
        name: "quoted-secret",
        what: "the word `secret` and a quoted text, as BIND and Junos write it",
        example: r#"secret "c2VjcmV0c2VjcmV0";"#,
    },
    Rule {
        name: "peer-key",
        what: "secrets of LDP, BGP and MSDP neighbours",
        example: "ldp neighbor 10.0.0.3 md5-key L4bels99",
    },
    Rule {
        name: "ike",
        what: "pre-shared keys of IKE",
        example: "pre-shared-key address 203.0.113.9 key Ik3Psk99",
    },
    Rule {
        name: "wireguard",
        what: "private and pre-shared keys of WireGuard",
        example: "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
    },
    Rule {
        name: "daemon-conf",
        what: "passwords in the files of daemons (LDAP, Redis) and .netrc",
        example: "bindpw Ld4pB1nd",
    },
    Rule {
        name: "hash",
        what: "hashed and reversibly scrambled passwords",
        example: "$6$rounds$ZxZxZxZxZxZxZxZx",
    },
    Rule {
        name: "sshpass",
        what: "the password given to sshpass",
        example: "sshpass -p Hunter22 ssh sw1",
    },
    Rule {
        name: "mysql",
        what: "the password given to MySQL and MariaDB tools",
        example: "mysql -u root -ps3cretdb",
    },
    Rule {
        name: "mongo",
        what: "the password given to MongoDB tools",
        example: "mongosh db1 -u ana -p s3cretdb",
    },
    Rule {
        name: "curl",
        what: "user:password given to HTTP tools",
        example: "curl -u ana:s3cret99 https://api.example.com/",
    },
    Rule {
        name: "ldap",
        what: "the bind password given to LDAP tools",
        example: "ldapsearch -x -D cn=a -w L4dapPw",
    },
    Rule {
        name: "redis",
        what: "the password given to redis-cli",
        example: "redis-cli -a R3disPw ping",
    },
    Rule {
        name: "ipmi",
        what: "the password given to IPMI tools",
        example: "ipmitool -H bmc1 -U ana -P 1pmiPass sel list",
    },
    Rule {
        name: "smb",
        what: "user%password given to SMB tools",
        example: "smbclient -U ana%s3cret99 //fs1/x",
    },
    Rule {
        name: "openssl",
        what: "pass phrases given to openssl",
        example: "openssl rsa -in k.pem -passin pass:Phr4se99",
    },
    Rule {
        name: "tsig",
        what: "TSIG keys given to DNS tools",
        example: "dig -y hmac-sha256:upd:c2VjcmV0c2VjcmV0 @ns1 x axfr",
    },
    Rule {
        name: "radtest",
        what: "password and shared secret given to radtest",
        example: "radtest ana Hunter22 10.0.0.1 0 Sh4redSecret",
    },
    Rule {
        name: "option",
        what: "long options such as --password and --token",
        example: "backup --token tok_12345678",
    },
    Rule {
        name: "haproxy",
        what: "the password of HAProxy's statistics page",
        example: "stats auth admin:Ha-pr0xy",
    },
    Rule {
        name: "authorization",
        what: "credentials of HTTP and of container registries",
        example: "Authorization: Basic YW5hOnMzY3JldDk5",
    },
    Rule {
        name: "header",
        what: "headers such as X-Api-Key",
        example: "X-Vault-Token: s.AbCdEf0123456789",
    },
    Rule {
        name: "cookie",
        what: "cookies",
        example: "Set-Cookie: sid=9f8e7d6c5b4a; Path=/",
    },
    Rule {
        name: "url",
        what: "passwords and tokens before the @ of a URL, and signatures in it",
        example: "postgres://app:hunter2@db1:5432/x",
    },
    Rule {
        name: "aws",
        what: "access key ids of AWS",
        example: "AKIAIOSFODNN7EXAMPLE",
    },
    Rule {
        name: "token",
        what: "tokens that show by their beginning what they are",
        example: "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    },
    Rule {
        name: "jwt",
        what: "JSON web tokens",
        example: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    },
    Rule {
        name: "webhook",
        what: "the secret part of a webhook's address, and keys of paging services",
        example: "https://hooks.slack.com/services/T00000000/B00000000/XXXXabcd",
    },
    Rule {
        name: "assignment",
        what: "whatever calls itself a password, secret, token or key",
        example: "DB_PASSWORD=hunter2",
    },
];
