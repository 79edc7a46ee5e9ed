//! Servers in the lab: unbound as resolver, nginx for HTTP and TLS with certificates made here.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::Lab;
use super::plan::{NAMES, RESOLVER, RESOLVER_2, Role, V4, V6};
use super::proof::until;

/// Ports of the service host where nothing listens.
pub const CLOSED_PORT: u16 = 81;

impl Lab {
    /// Path of the lab's own certificate authority, once [`Lab::serve_tls`] ran.
    pub fn ca(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// The good resolver: knows [`NAMES`] and is itself the root of all names, so that every
    /// question has an answer without any network behind it.
    pub(super) fn start_resolver(&mut self) {
        let mut data =
            String::from("local-zone: \".\" static\nlocal-data: \". 3600 IN NS ns.lab.test.\"\n");
        data += "local-data: \". 3600 IN SOA ns.lab.test. ops.lab.test. 1 3600 900 86400 60\"\n";
        data += &format!("local-data: \"ns.lab.test. 60 IN A {RESOLVER}\"\n");
        for name in NAMES {
            data += &format!("local-data: \"{name}. 60 IN A {}\"\n", Role::Dst.addr(V4));
        }
        data += &format!(
            "local-data: \"www.lab.test. 60 IN AAAA {}\"\n",
            Role::Dst.addr(V6)
        );
        self.unbound("good", RESOLVER, &data);
        self.until_resolver_answers(RESOLVER);
    }

    /// A resolver at [`RESOLVER_2`] that answers like the good one.
    pub fn second_resolver(&mut self) {
        let text = std::fs::read_to_string(self.dir().join("good.conf"))
            .expect("the good resolver's configuration");
        let data: Vec<&str> = text.lines().filter(|l| l.starts_with("local-")).collect();
        self.unbound("second", RESOLVER_2, &data.join("\n"));
        self.until_resolver_answers(RESOLVER_2);
    }

    /// A resolver at [`RESOLVER_2`] that fails every question with SERVFAIL, because the server
    /// that it forwards to refuses them all.
    pub fn servfail_resolver(&mut self) {
        self.unbound(
            "refusing",
            "127.0.0.1@5353",
            "local-zone: \".\" always_refuse\nlocal-zone: \"test.\" always_refuse\n",
        );
        self.unbound(
            "servfail",
            RESOLVER_2,
            "local-zone: \"test.\" nodefault\ndo-not-query-localhost: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@5353\n",
        );
        self.until_resolver_answers(RESOLVER_2);
        let said = self.dig(RESOLVER_2, "www.lab.test");
        assert!(
            said.contains("status: SERVFAIL"),
            "the fault is not there, dig says:\n{said}"
        );
    }

    pub(super) fn until_resolver_answers(&self, address: &str) {
        until("the resolver to answer", || {
            let said = self.dig(address, "ns.lab.test");
            if said.contains("status: ") {
                Ok(())
            } else {
                Err(format!("{said}\n{}", self.logs()))
            }
        });
    }

    pub(super) fn unbound(&mut self, name: &str, address: &str, data: &str) {
        let dir = self.dir().to_string_lossy().into_owned();
        let conf = format!(
            "server:\ndirectory: \"{dir}\"\nchroot: \"\"\nusername: \"\"\npidfile: \"\"\nuse-syslog: no\n\
             do-daemonize: no\nverbosity: 1\ninterface: {address}\naccess-control: 0.0.0.0/0 allow\naccess-control: ::/0 allow\n\
             module-config: \"iterator\"\nmsg-cache-size: 1m\nrrset-cache-size: 1m\nnum-threads: 1\noutgoing-range: 64\n\
             so-rcvbuf: 0\n{data}\nremote-control:\ncontrol-enable: no\n"
        );
        let path = self.file(&format!("{name}.conf"), &conf);
        self.serve(Role::Dns, &["unbound", "-d", "-c", &path.to_string_lossy()]);
    }

    /// HTTP on port 80 of the service host: `/` says 200, `/broken` says 503.
    pub fn serve_http(&mut self) {
        self.nginx("http", "server { listen 80; listen [::]:80; LOCATIONS }");
        let url = format!("http://{}/", Role::Dst.addr(V4));
        until("HTTP to answer", || {
            self.expect_said(&["curl", "-sS", "-m", "2", &url], "fine")
        });
    }

    /// HTTPS on port 443 of the service host, with one certificate per name of [`NAMES`].
    pub fn serve_tls(&mut self) {
        let ca = authority("Lab CA");
        let other = authority("Some Other CA");
        std::fs::write(self.ca(), ca.1.as_bytes()).expect("a writable lab folder");
        let mut servers = String::new();
        for name in NAMES {
            let (issuer, subject, years) = match *name {
                "expired.lab.test" => (&ca.0, *name, (2023, 2024)),
                "wrong-name.lab.test" => (&ca.0, "elsewhere.lab.test", (2024, 2049)),
                "other-ca.lab.test" => (&other.0, *name, (2024, 2049)),
                _ => (&ca.0, *name, (2024, 2049)),
            };
            let (chain, key) = leaf(issuer, subject, years);
            let (cert, key) = (
                self.file(&format!("{name}.crt"), &chain),
                self.file(&format!("{name}.key"), &key),
            );
            servers += &format!(
                "server {{ listen 443 ssl; listen [::]:443 ssl; server_name {name}; ssl_certificate {}; ssl_certificate_key {}; LOCATIONS }}\n",
                cert.display(),
                key.display()
            );
        }
        self.nginx("tls", &servers);
        let ca = self.ca().to_string_lossy().into_owned();
        let curl = |name: &str| {
            self.say(&[
                "curl",
                "-sS",
                "-m",
                "3",
                "--cacert",
                &ca,
                &format!("https://{name}/"),
            ])
        };
        until("HTTPS to answer", || match curl("www.lab.test") {
            said if said.contains("fine") => Ok(()),
            said => Err(format!("{said}\n{}", self.logs())),
        });
        for (name, word) in [
            ("expired.lab.test", "certificate has expired"),
            (
                "wrong-name.lab.test",
                "no alternative certificate subject name",
            ),
            ("other-ca.lab.test", "unable to get local issuer"),
        ] {
            let said = curl(name);
            assert!(
                said.contains(word),
                "{name} is not broken as it should be, curl says: {said}"
            );
        }
    }

    pub(super) fn nginx(&mut self, name: &str, servers: &str) {
        let dir = self.dir().to_string_lossy().into_owned();
        let servers = servers.replace(
            "LOCATIONS",
            "location / { default_type text/plain; return 200 \"fine\\n\"; } location /broken { return 503; }",
        );
        let temps: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|m| format!("{m}_temp_path {dir}/nginx-{name}-{m};\n"))
            .collect();
        let conf = format!(
            "user root; daemon off; master_process off; pid {dir}/nginx-{name}.pid;\nevents {{ worker_connections 128; }}\n\
             http {{ access_log off; {temps} {servers} }}\n"
        );
        let path = self.file(&format!("nginx-{name}.conf"), &conf);
        let log = self.dir().join(format!("nginx-{name}.log"));
        self.serve(
            Role::Dst,
            &[
                "nginx",
                "-e",
                &log.to_string_lossy(),
                "-c",
                &path.to_string_lossy(),
            ],
        );
    }
}

/// A certificate authority: what signs, and its certificate as PEM.
fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2023, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    (Issuer::new(params, key), pem)
}

/// A server certificate and its key as PEM, valid from the first of January of one year to that
/// of another.
fn leaf(issuer: &Issuer<'static, KeyPair>, name: &str, years: (i32, i32)) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().expect("a key");
    (
        params.signed_by(&key, issuer).expect("a certificate").pem(),
        key.serialize_pem(),
    )
}
