//! A PKI out of `openssl ca`, with any dates, keys, hashes and extensions. Made anew for each
//! test; no key is kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Extensions of a proper root.
pub const ROOT: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
/// Extensions of a proper intermediate.
pub const MID: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n";
/// Extensions of a proper server for `www.example.test`.
pub const LEAF: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:www.example.test\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n";

/// What to issue.
#[derive(Clone)]
pub struct Order<'a> {
    pub subject: &'a str,
    pub issuer: Option<&'a str>,
    pub key: &'a str,
    pub hash: &'a str,
    /// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
    pub from: &'a str,
    pub to: &'a str,
    pub ext: &'a str,
    /// Further lines of the CA's configuration.
    pub extra: &'a str,
}

impl Default for Order<'_> {
    fn default() -> Self {
        Self {
            subject: "/CN=x",
            issuer: None,
            key: "ec",
            hash: "sha256",
            from: "20250101000000Z",
            to: "20350101000000Z",
            ext: LEAF,
            extra: "",
        }
    }
}

/// Certificates and keys by label, in a folder that goes away.
pub struct Pki {
    pub dir: tempfile::TempDir,
    labels: HashMap<String, usize>,
}

impl Pki {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            labels: HashMap::new(),
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn cert(&self, label: &str) -> PathBuf {
        self.file(&format!("{label}.pem"))
    }

    pub fn key(&self, label: &str) -> PathBuf {
        self.file(&format!("{label}.key"))
    }

    fn openssl(&self, args: &[&str]) {
        let made = Command::new("openssl")
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .expect("openssl is needed for this test");
        let words = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "openssl {args:?}: {words}");
    }

    /// Makes a key and a certificate under `label`.
    pub fn issue(&mut self, label: &str, order: &Order<'_>) {
        self.labels.insert(label.to_owned(), self.labels.len());
        let key = format!("{label}.key");
        match order.key.split_once(':').unwrap_or((order.key, "")) {
            ("ec", "") => self.genpkey(&key, "EC", "ec_paramgen_curve:P-256"),
            ("ec", curve) => self.genpkey(&key, "EC", &format!("ec_paramgen_curve:{curve}")),
            ("rsa", bits) => self.genpkey(&key, "RSA", &format!("rsa_keygen_bits:{bits}")),
            (edwards @ ("ed25519" | "ed448"), _) => {
                self.openssl(&["genpkey", "-algorithm", edwards, "-out", &key]);
            }
            // The key of another certificate.
            ("of", other) => {
                std::fs::copy(self.key(other), self.key(label)).unwrap();
            }
            (other, _) => panic!("{other}"),
        }
        self.sign(label, order);
    }

    fn genpkey(&self, key: &str, algorithm: &str, option: &str) {
        self.openssl(&[
            "genpkey",
            "-algorithm",
            algorithm,
            "-pkeyopt",
            option,
            "-out",
            key,
        ]);
    }

    fn sign(&self, label: &str, order: &Order<'_>) {
        let issuer = order.issuer.unwrap_or(label);
        let id = self.labels.len();
        let conf = format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=db{id}\nserial=serial{id}\nnew_certs_dir=.\ndefault_md={}\npolicy=p\nunique_subject=no\nx509_extensions=e\nemail_in_dn=no\n{}\n[p]\ncommonName=optional\norganizationName=optional\ncountryName=optional\n[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n[e]\n{}",
            order.hash, order.extra, order.ext
        );
        let file = |name: &str, text: &str| std::fs::write(self.file(name), text).unwrap();
        file("conf", &conf);
        file(&format!("db{id}"), "");
        file(
            &format!("serial{id}"),
            &format!("{:04X}\n", 0x1000 + id * 7),
        );
        let (key, csr, cert) = (
            format!("{label}.key"),
            format!("{label}.csr"),
            format!("{label}.pem"),
        );
        self.openssl(&[
            "req",
            "-new",
            "-config",
            "conf",
            "-key",
            &key,
            "-subj",
            order.subject,
            "-out",
            &csr,
        ]);
        let issuer_key = format!("{issuer}.key");
        let issuer_cert = format!("{issuer}.pem");
        let mut args = vec![
            "ca",
            "-batch",
            "-notext",
            "-config",
            "conf",
            "-in",
            &csr,
            "-out",
            &cert,
            "-keyfile",
            &issuer_key,
            "-startdate",
            order.from,
            "-enddate",
            order.to,
            "-preserveDN",
        ];
        if order.issuer.is_none() {
            args.push("-selfsign");
        } else {
            args.extend(["-cert", &issuer_cert]);
        }
        self.openssl(&args);
    }

    /// The PEM texts of these labels behind each other, in a file.
    pub fn bundle(&self, labels: &[&str]) -> PathBuf {
        let text: String = labels
            .iter()
            .map(|l| std::fs::read_to_string(self.cert(l)).unwrap())
            .collect();
        let path = self.file(&format!("bundle-{}.pem", labels.join("-")));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `openssl verify` as a TLS client would; the words of a refusal.
    pub fn openssl_verify(
        &self,
        leaf: &Path,
        untrusted: &Path,
        roots: &Path,
        name: &str,
        at: i64,
    ) -> Result<(), String> {
        let host = if name.parse::<std::net::IpAddr>().is_ok() {
            "-verify_ip"
        } else {
            "-verify_hostname"
        };
        let said = Command::new("openssl")
            .args([
                "verify",
                "-no-CApath",
                "-no-CAstore",
                "-purpose",
                "sslserver",
            ])
            // What TLS itself asks of keys and hashes (security level 2).
            .args(["-auth_level", "2"])
            .args([host, name, "-attime", &at.to_string(), "-CAfile"])
            .arg(roots)
            .arg("-untrusted")
            .arg(untrusted)
            .arg(leaf)
            .output()
            .unwrap();
        if said.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&said.stderr).into_owned()
                + &String::from_utf8_lossy(&said.stdout))
        }
    }
}
