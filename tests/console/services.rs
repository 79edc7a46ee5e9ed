//! What the console looks at: a web server and a resolver on the loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

/// The one name that the resolver knows; it is 127.0.0.1.
pub const NAME: &str = "web.test";

/// Request lines that a web server got.
pub type Asked = Arc<Mutex<Vec<String>>>;

/// Answers 200 on every path but `/bad`, which gets 503. Runs until the test ends.
pub fn web(asked: &Asked) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::clone(asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            std::thread::spawn(move || answer(stream, &asked));
        }
    });
    port
}

/// One request, one answer; whoever only connects gets nothing.
fn answer(mut stream: TcpStream, asked: &Asked) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    asked.lock().ok()?.push(request.clone());
    while !lines.next()?.ok()?.is_empty() {}
    let status = if request.contains(" /bad") {
        "503 Service Unavailable"
    } else {
        "200 OK"
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
    stream.write_all(head.as_bytes()).ok()
}

/// A resolver on 127.0.0.1:53 that knows [`NAME`] and says NXDOMAIN to all else.
pub fn resolver() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).expect("port 53 of an own loopback");
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if let Some(answer) = resolve(&packet[..length]) {
                // Whoever is gone by now asks again.
                let _ = socket.send_to(&answer, from);
            }
        }
    });
}

/// RFC 1035 section 4: the header and the question back, with one A record where there is one.
fn resolve(query: &[u8]) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    while let Some(&length @ 1..) = query.get(at) {
        let label = query.get(at + 1..at + 1 + usize::from(length))?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += 1 + usize::from(length);
    }
    let question = query.get(12..at + 5)?;
    let known = labels.join(".") == NAME;
    let is_a = query.get(at + 1..at + 3)? == [0, 1];
    let rcode = if known { 0 } else { 3 };
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([
        0x85,
        0x80 | rcode,
        0,
        1,
        0,
        u8::from(known && is_a),
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question);
    if known && is_a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
