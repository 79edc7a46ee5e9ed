//! Certificates for tests, of every kind that is wrong in one way or another.
#![allow(dead_code, missing_docs)]

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// A certificate with its key and what it was made of.
pub struct Minted {
    pub params: CertificateParams,
    pub key: KeyPair,
    pub cert: Certificate,
}

/// What to make.
pub struct Recipe {
    params: CertificateParams,
}

/// A certificate of a server with these alternative names (addresses become iPAddress).
pub fn server(names: &[&str]) -> Recipe {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Recipe { params }.valid((2020, 1, 1), (2040, 1, 1))
}

/// A CA of this name.
pub fn ca(name: &str) -> Recipe {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Recipe { params }.valid((2020, 1, 1), (2040, 1, 1))
}

impl Recipe {
    pub fn valid(mut self, from: (i32, u8, u8), to: (i32, u8, u8)) -> Self {
        self.params.not_before = date_time_ymd(from.0, from.1, from.2);
        self.params.not_after = date_time_ymd(to.0, to.1, to.2);
        self
    }
    pub fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.params);
        self
    }
    pub fn self_signed(self) -> Minted {
        let key = KeyPair::generate().unwrap();
        let cert = self.params.self_signed(&key).unwrap();
        Minted {
            params: self.params,
            key,
            cert,
        }
    }
    pub fn signed_by(self, issuer: &Minted) -> Minted {
        self.keyed_and_signed_by(KeyPair::generate().unwrap(), issuer)
    }
    pub fn keyed_and_signed_by(self, key: KeyPair, issuer: &Minted) -> Minted {
        let by = Issuer::from_params(&issuer.params, &issuer.key);
        let cert = self.params.signed_by(&key, &by).unwrap();
        Minted {
            params: self.params,
            key,
            cert,
        }
    }
}
