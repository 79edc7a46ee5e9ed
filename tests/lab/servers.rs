//! Servers that are broken in one thing each: balancers, clocks, certificates, handshakes.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::Lab;
use super::plan::{RESOLVER, Role, V4};
use super::proof::until;

/// A server of few words: `date SECONDS` answers with a Date so far off, `late SECONDS` so late; the
/// others take what is sent and then `cut` resets, `hush` says nothing more.
const SMALL: &str = r#"
import email.utils, http.server, socket, socketserver, struct, sys, time
address, port, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
class Dated(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def date_time_string(self, timestamp=None):
        off = float(sys.argv[4]) if what == "date" else 0
        return email.utils.formatdate(time.time() + off, usegmt=True)
    def do_GET(self):
        if what == "late":
            time.sleep(float(sys.argv[4]))
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"fine\n")
    do_HEAD = do_GET
class Rude(socketserver.BaseRequestHandler):
    def handle(self):
        if self.request.recv(4096) and what == "cut":
            linger = struct.pack("ii", 1, 0)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        while self.request.recv(4096):
            pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
    def shutdown_request(self, request):
        request.close()
Server((address, port), Dated if what in ("date", "late") else Rude).serve_forever()
"#;

/// What is wrong with a TLS server that is made by [`Lab::serve_bad_tls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTls {
    /// Signed by itself.
    SelfSigned,
    /// The intermediate is not sent; the certificate says where it can be had.
    ChainIncomplete,
    /// Valid in some days only.
    NotYetValid,
    /// Valid for so many days more.
    Expiring(i64),
    /// An RSA key of 1024 bits.
    WeakKey,
    /// TLS 1.1 and nothing newer.
    OldProtocol,
    /// TLS 1.2 with a cipher suite that current clients do not offer.
    OldCiphers,
    /// No cipher in common.
    Refused,
}

impl Lab {
    /// A server of [`SMALL`].
    fn small_server(&mut self, role: Role, address: &str, port: u16, what: &[&str]) {
        let path = self.file("small.py", SMALL);
        let (path, port) = (path.to_string_lossy().into_owned(), port.to_string());
        let mut args = vec!["python3", &path, address, &port];
        args.extend(what);
        self.serve(role, &args);
        let to = format!("{address}:{port}");
        until("the small server to listen", || {
            let said = self.exec(role, super::plan::User::Root, &["ss", "-Hltn"]);
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            if said.contains(&format!(" {to} ")) {
                Ok(())
            } else {
                Err(format!("{said}\n{}", self.logs()))
            }
        });
    }

    /// HTTP at the service host or at the resolver's, whose Date is so many seconds off.
    pub fn serve_dated(&mut self, role: Role, seconds: i64) -> String {
        let address = if role == Role::Dns {
            RESOLVER.to_owned()
        } else {
            role.addr(V4).to_string()
        };
        self.small_server(role, &address, 80, &["date", &seconds.to_string()]);
        format!("http://{address}/")
    }

    /// A server at that port of the service host that resets each connection once something was
    /// sent.
    pub fn serve_cut(&mut self, port: u16) {
        let address = Role::Dst.addr(V4).to_string();
        self.small_server(Role::Dst, &address, port, &["cut"]);
        let url = format!("http://{address}:{port}/");
        self.must_say(&["curl", "-sS", "-m", "3", &url], "reset by peer");
    }

    /// The same that takes all and says nothing.
    pub fn serve_hush(&mut self, port: u16) {
        let address = Role::Dst.addr(V4).to_string();
        self.small_server(Role::Dst, &address, port, &["hush"]);
        let url = format!("http://{address}:{port}/");
        self.must_say(&["curl", "-sS", "-m", "1", &url], "with 0 bytes received");
    }

    /// HTTP at the service host that takes so many seconds for each answer.
    pub fn serve_late(&mut self, seconds: u32) {
        let address = Role::Dst.addr(V4).to_string();
        self.small_server(Role::Dst, &address, 80, &["late", &seconds.to_string()]);
        let url = format!("http://{address}/");
        // It answers, and not before that time.
        self.must_say(&["curl", "-sS", "-m", "20", &url], "fine");
        let soon = (seconds - 1).to_string();
        self.must_say(&["curl", "-sS", "-m", &soon, &url], "with 0 bytes received");
    }

    /// haproxy on port 80 of the service host before three backends, the last of them dead;
    /// without health checks.
    pub fn serve_balanced(&mut self) {
        self.nginx(
            "backends",
            "server { listen 127.0.0.1:8001; LOCATIONS } server { listen 127.0.0.1:8002; LOCATIONS }",
        );
        let address = Role::Dst.addr(V4);
        let conf = self.file(
            "haproxy.cfg",
            &format!(
                "global\n maxconn 100\ndefaults\n mode http\n retries 0\n timeout connect 2s\n timeout client 9s\n timeout server 9s\n\
                 frontend web\n bind {address}:80\n default_backend three\n\
                 backend three\n balance roundrobin\n server a 127.0.0.1:8001\n server b 127.0.0.1:8002\n server c 127.0.0.1:8003\n"
            ),
        );
        self.serve(
            Role::Dst,
            &["haproxy", "-db", "-f", &conf.to_string_lossy()],
        );
        let url = format!("http://{address}/");
        let asked = || {
            let args = ["-sS", "-m", "3", "-o", "/dev/null", "-w", "%{http_code} "];
            let all: Vec<_> = (0..3)
                .map(|_| self.say(&[&["curl"], &args[..], &[url.as_str()]].concat()))
                .collect();
            all.concat()
        };
        until("two backends of three to answer", || {
            let said = asked();
            if said.matches("200 ").count() == 2 && said.matches("503 ").count() == 1 {
                Ok(())
            } else {
                Err(format!("{said}\n{}", self.logs()))
            }
        });
    }

    /// Redirects on port 80 of the service host that lead in a circle: `/a` to `/b` and back.
    pub fn serve_circle(&mut self) {
        let address = Role::Dst.addr(V4);
        self.nginx(
            "circle",
            "server { listen 80; location /a { return 302 /b; } location /b { return 302 /a; } }",
        );
        let url = format!("http://{address}/a");
        until("the redirects", || {
            self.expect_said(
                &["curl", "-sSL", "--max-redirs", "5", "-m", "3", &url],
                "Maximum (5) redirects",
            )
        });
    }

    /// HTTPS for `www.lab.test` on port 443 of the service host, broken in one thing. Its root is
    /// [`Lab::ca`].
    pub fn serve_bad_tls(&mut self, what: BadTls) {
        let name = "www.lab.test";
        let root = Authority::new("Lab CA", None);
        std::fs::write(self.ca(), &root.pem).expect("a writable lab folder");
        let today = jiff::Zoned::now().date();
        let from = |days: i64| {
            let day = today.saturating_add(jiff::SignedDuration::from_hours(24 * days));
            (i32::from(day.year()), day.month() as u8, day.day() as u8)
        };
        let (born, dies) = ((2024, 1, 1), (2049, 1, 1));
        let (cert, key) = match what {
            BadTls::SelfSigned => leaf(None, name, born, dies, None),
            BadTls::ChainIncomplete => {
                let middle = Authority::new("Lab Intermediate", Some(&root));
                let at = "http://ca.lab.test/middle.crt";
                leaf(Some(&middle.issuer), name, born, dies, Some(at))
            }
            BadTls::NotYetValid => leaf(Some(&root.issuer), name, from(5), dies, None),
            // A day begins at midnight, so there are somewhat fewer left than that.
            BadTls::Expiring(days) => leaf(Some(&root.issuer), name, born, from(days), None),
            BadTls::WeakKey => self.weak_leaf(&root, name),
            BadTls::OldProtocol | BadTls::OldCiphers | BadTls::Refused => {
                leaf(Some(&root.issuer), name, born, dies, None)
            }
        };
        let cert = self.file("bad.crt", &cert);
        let key = self.file("bad.key", &key);
        // Library defaults forbid what is to be shown; the level says that it may be shown.
        let (protocols, ciphers) = match what {
            BadTls::Refused => ("TLSv1.2", "aNULL:@SECLEVEL=0"),
            BadTls::OldProtocol => ("TLSv1.1", "ALL:@SECLEVEL=0"),
            BadTls::OldCiphers => ("TLSv1.2", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
            _ => ("TLSv1.2 TLSv1.3", "DEFAULT:@SECLEVEL=0"),
        };
        self.nginx(
            "bad-tls",
            &format!(
                "server {{ listen 443 ssl; listen [::]:443 ssl; ssl_certificate {}; ssl_certificate_key {};\n\
                 ssl_protocols {protocols}; ssl_ciphers {ciphers}; LOCATIONS }}\n",
                cert.display(),
                key.display()
            ),
        );
        let ca = self.ca().to_string_lossy().into_owned();
        let url = format!("https://{name}/");
        let options: &[&str] = match what {
            BadTls::OldProtocol => &["--tlsv1.2"],
            BadTls::OldCiphers => &["--ciphers", "ECDHE+AESGCM"],
            BadTls::WeakKey => &["--ciphers", "DEFAULT:@SECLEVEL=2"],
            _ => &[],
        };
        let mut curl = vec!["curl", "-sS", "-m", "3", "--cacert", &ca];
        curl.extend(options);
        curl.push(&url);
        let word = match what {
            BadTls::SelfSigned => "self-signed certificate",
            BadTls::ChainIncomplete => "unable to get local issuer",
            BadTls::NotYetValid => "not yet valid",
            BadTls::Expiring(_) => "fine",
            BadTls::WeakKey => "key too weak",
            BadTls::OldProtocol => "alert protocol version",
            BadTls::OldCiphers | BadTls::Refused => "alert handshake failure",
        };
        until("the broken TLS server to be so", || {
            self.expect_said(&curl, word)
                .map_err(|said| format!("{said}\n{}", self.logs()))
        });
    }

    /// A certificate that no library here would make any more; stock openssl does.
    fn weak_leaf(&self, root: &Authority, name: &str) -> (String, String) {
        let ca_key = self.file("ca.key", &root.key);
        let path = |name: &str| self.dir().join(name);
        let [key, request, cert, extensions] =
            ["weak.key", "weak.csr", "weak.crt", "weak.ext"].map(path);
        std::fs::write(&extensions, format!("subjectAltName=DNS:{name}\n"))
            .expect("a writable lab folder");
        let text = |p: &Path| p.to_string_lossy().into_owned();
        let subject = format!("/CN={name}");
        let (key_at, request_at, cert_at) = (text(&key), text(&request), text(&cert));
        super::must(
            "openssl",
            &[
                "req",
                "-new",
                "-newkey",
                "rsa:1024",
                "-nodes",
                "-keyout",
                &key_at,
                "-subj",
                &subject,
                "-out",
                &request_at,
            ],
            "",
        );
        super::must(
            "openssl",
            &[
                "x509",
                "-req",
                "-in",
                &request_at,
                "-CA",
                &text(&self.ca()),
                "-CAkey",
                &text(&ca_key),
                "-CAcreateserial",
                "-days",
                "400",
                "-extfile",
                &text(&extensions),
                "-out",
                &cert_at,
            ],
            "",
        );
        let read = |p: &Path| std::fs::read_to_string(p).expect("what openssl wrote");
        (read(&cert), read(&key))
    }
}

type Day = (i32, u8, u8);

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    key: String,
}

impl Authority {
    fn new(name: &str, above: Option<&Authority>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(2023, 1, 1);
        params.not_after = date_time_ymd(2049, 1, 1);
        params.use_authority_key_identifier_extension = above.is_some();
        let key = KeyPair::generate().expect("a key");
        let pem = match above {
            None => params.self_signed(&key),
            Some(above) => params.signed_by(&key, &above.issuer),
        };
        Self {
            pem: pem.expect("a certificate").pem(),
            key: key.serialize_pem(),
            issuer: Issuer::new(params, key),
        }
    }
}

/// A server certificate and its key as PEM, signed by itself without an issuer; it says where its
/// issuer's can be had.
fn leaf(
    issuer: Option<&Issuer<'static, KeyPair>>,
    name: &str,
    from: Day,
    to: Day,
    issuer_at: Option<&str>,
) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
    params.use_authority_key_identifier_extension = issuer.is_some();
    if let Some(url) = issuer_at {
        params.custom_extensions.push(access(url));
    }
    let key = KeyPair::generate().expect("a key");
    let cert = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    (cert.expect("a certificate").pem(), key.serialize_pem())
}

/// Authority information access (RFC 5280 4.2.2.1) with one caIssuers URL, in DER.
fn access(url: &str) -> rcgen::CustomExtension {
    let block = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).expect("a short URL");
        assert!(length < 128, "a short URL");
        [&[tag, length], content].concat()
    };
    // 1.3.6.1.5.5.7.48.2, then the URL as [6].
    let method = block(6, &[0x2b, 6, 1, 5, 5, 7, 0x30, 2]);
    let place = block(0x86, url.as_bytes());
    let one = block(0x30, &[method, place].concat());
    rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], block(0x30, &one))
}
