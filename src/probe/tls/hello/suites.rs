//! Cipher suites by number, as IANA names them; the order is the one they are offered in.

/// One suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// Number on the wire.
    pub id: u16,
    /// IANA name.
    pub name: &'static str,
}

/// Suites of TLS 1.3 (RFC 8446 B.4).
pub(super) const TLS13: [u16; 5] = [0x1301, 0x1302, 0x1303, 0x1304, 0x1305];

/// What every server of TLS 1.2 finds one among.
pub(super) const USUAL: [u16; 8] = [
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009c, 0x002f,
];

/// What is known; all that current and old servers are likely to have.
pub(super) const ALL: &[Suite] = &[
    s(0x1301, "TLS_AES_128_GCM_SHA256"),
    s(0x1302, "TLS_AES_256_GCM_SHA384"),
    s(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    s(0x1304, "TLS_AES_128_CCM_SHA256"),
    s(0x1305, "TLS_AES_128_CCM_8_SHA256"),
    s(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    s(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    s(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    s(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    s(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    s(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    s(0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    s(0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    s(0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    s(0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"),
    s(0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM"),
    s(0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"),
    s(0xc0af, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8"),
    s(0xc09e, "TLS_DHE_RSA_WITH_AES_128_CCM"),
    s(0xc09f, "TLS_DHE_RSA_WITH_AES_256_CCM"),
    s(0xc05c, "TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256"),
    s(0xc05d, "TLS_ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384"),
    s(0xc060, "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256"),
    s(0xc061, "TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384"),
    s(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    s(0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    s(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    s(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    s(0xc072, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256"),
    s(0xc073, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384"),
    s(0xc076, "TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256"),
    s(0xc077, "TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384"),
    s(0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    s(0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    s(0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    s(0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    s(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    s(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    s(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    s(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    s(0x0045, "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA"),
    s(0x0088, "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA"),
    s(0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    s(0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    s(0xc09c, "TLS_RSA_WITH_AES_128_CCM"),
    s(0xc09d, "TLS_RSA_WITH_AES_256_CCM"),
    s(0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    s(0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    s(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    s(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    s(0x0041, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA"),
    s(0x0084, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA"),
    s(0x0096, "TLS_RSA_WITH_SEED_CBC_SHA"),
    s(0xc008, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    s(0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    s(0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    s(0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    s(0xc007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"),
    s(0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    s(0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    s(0x0004, "TLS_RSA_WITH_RC4_128_MD5"),
    s(0x0009, "TLS_RSA_WITH_DES_CBC_SHA"),
    s(0x0015, "TLS_DHE_RSA_WITH_DES_CBC_SHA"),
    s(0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"),
    s(0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA"),
    s(0x0018, "TLS_DH_anon_WITH_RC4_128_MD5"),
    s(0x0034, "TLS_DH_anon_WITH_AES_128_CBC_SHA"),
    s(0x003a, "TLS_DH_anon_WITH_AES_256_CBC_SHA"),
    s(0xc018, "TLS_ECDH_anon_WITH_AES_128_CBC_SHA"),
    s(0xc019, "TLS_ECDH_anon_WITH_AES_256_CBC_SHA"),
    s(0x0002, "TLS_RSA_WITH_NULL_SHA"),
    s(0x003b, "TLS_RSA_WITH_NULL_SHA256"),
    s(0x0001, "TLS_RSA_WITH_NULL_MD5"),
    s(0xc006, "TLS_ECDHE_ECDSA_WITH_NULL_SHA"),
    s(0xc010, "TLS_ECDHE_RSA_WITH_NULL_SHA"),
];

const fn s(id: u16, name: &'static str) -> Suite {
    Suite { id, name }
}

/// The IANA name, or the number.
pub fn name(id: u16) -> String {
    match ALL.iter().find(|s| s.id == id) {
        Some(s) => s.name.to_owned(),
        None => format!("0x{id:04X}"),
    }
}

/// Why a suite should not be offered any more, if so.
pub fn weakness(name: &str) -> Option<&'static str> {
    [
        ("_NULL_", "no encryption"),
        ("_anon_", "no authentication"),
        ("_RC4_", "RC4 (RFC 7465)"),
        ("_3DES_", "64-bit blocks"),
        ("_DES_", "56-bit keys"),
    ]
    .into_iter()
    .find_map(|(mark, why)| name.contains(mark).then_some(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_named() {
        let mut ids: Vec<u16> = ALL.iter().map(|s| s.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len());
        assert_eq!(name(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        assert_eq!(name(0xfefe), "0xFEFE");
        assert_eq!(weakness("TLS_RSA_WITH_RC4_128_SHA"), Some("RC4 (RFC 7465)"));
        assert_eq!(weakness("TLS_AES_128_GCM_SHA256"), None);
    }
}
