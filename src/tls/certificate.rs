//! Reads a few fields of an X.509 certificate: its dates, whether it is a CA's, and whether a server may present it.
//!
//! WebPKI checks signatures, names and chains. The reader accepts only DER (RFC 5280, X.690): definite
//! lengths, and dates in UTC with seconds. Anything else makes the certificate unreadable, never half read.

use chrono::{DateTime, NaiveDate, Utc};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]` in the body of a certificate: its version.
const VERSION: u8 = 0xa0;
/// `[3]` in the body of a certificate: its extensions.
const EXTENSIONS: u8 = 0xa3;

/// 2.5.29.19
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 2.5.29.37.0
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
/// 1.3.6.1.5.5.7.3.1
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

/// Returns the SHA-256 of a certificate.
pub(crate) fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// The period in which a certificate may be used, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

/// The fields of a certificate that this program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFacts {
    pub(crate) validity: Validity,
    pub(crate) is_ca: bool,
    /// True if its extended key usage names servers, names any usage, or is absent.
    pub(crate) is_for_servers: bool,
}

impl CertificateFacts {
    /// Reads a certificate in DER. Returns `None` if it is malformed or names an extension twice.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = DerReader(der).take(SEQUENCE)?;
        let mut body = certificate.take(SEQUENCE)?;
        body.take_if(VERSION)?;
        for _serial_algorithm_issuer in 0..3 {
            body.skip()?;
        }
        let mut dates = body.take(SEQUENCE)?;
        let mut facts = Self {
            validity: Validity {
                from: dates.time()?,
                until: dates.time()?,
            },
            is_ca: false,
            is_for_servers: true,
        };
        while !body.is_empty() {
            let (tag, content) = body.next()?;
            if tag == EXTENSIONS {
                facts.read_extensions(DerReader(content).take(SEQUENCE)?)?;
            }
        }
        Some(facts)
    }

    fn read_extensions(&mut self, mut extensions: DerReader<'_>) -> Option<()> {
        let (mut constraints, mut usage) = (None, None);
        while !extensions.is_empty() {
            let mut extension = extensions.take(SEQUENCE)?;
            let name = extension.take(OBJECT_IDENTIFIER)?;
            extension.take_if(BOOLEAN)?;
            let value = extension.take(OCTET_STRING)?;
            let known = match name.0 {
                BASIC_CONSTRAINTS => &mut constraints,
                EXTENDED_KEY_USAGE => &mut usage,
                _ => continue,
            };
            if known.replace(value).is_some() {
                return None;
            }
        }
        if let Some(mut value) = constraints {
            let is_ca = value.take(SEQUENCE)?.take_if(BOOLEAN)?;
            self.is_ca = is_ca.is_some_and(|is_ca| is_ca.0 != [0]);
        }
        if let Some(mut value) = usage {
            let mut usages = value.take(SEQUENCE)?;
            self.is_for_servers = false;
            while !usages.is_empty() {
                let usage = usages.take(OBJECT_IDENTIFIER)?.0;
                self.is_for_servers |= [SERVER_AUTH, ANY_USAGE].contains(&usage);
            }
        }
        Some(())
    }
}

/// The unread rest of a DER value's content.
struct DerReader<'a>(&'a [u8]);

impl<'a> DerReader<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next value: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, length], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            // The low bits count the bytes of the length; 0 of them would be an indefinite one, and no
            // certificate needs more than 4.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn skip(&mut self) -> Option<()> {
        self.next().map(|_| ())
    }

    /// Takes the next value, which has this tag.
    fn take(&mut self, expected: u8) -> Option<Self> {
        let (tag, content) = self.next()?;
        (tag == expected).then_some(Self(content))
    }

    /// Takes the next value if it has this tag. The outer `None` is a malformed value.
    fn take_if(&mut self, tag: u8) -> Option<Option<Self>> {
        match self.0.first() {
            Some(found) if *found == tag => self.take(tag).map(Some),
            _ => Some(None),
        }
    }

    /// Takes a date: `YYMMDDhhmmssZ` for 1950 to 2049, or `YYYYMMDDhhmmssZ`.
    fn time(&mut self) -> Option<DateTime<Utc>> {
        let (tag, text) = self.next()?;
        let digits = text.strip_suffix(b"Z")?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = |digits: &[u8]| {
            let add = |sum: u32, digit: &u8| 10 * sum + u32::from(digit - b'0');
            digits.iter().fold(0, add)
        };
        let (year, rest) = match (tag, digits.len()) {
            (UTC_TIME, 12) => {
                let year = number(&digits[..2]);
                (year + if year < 50 { 2000 } else { 1900 }, &digits[2..])
            }
            (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
            _ => return None,
        };
        let part = |index: usize| number(&rest[2 * index..2 * index + 2]);
        let date = NaiveDate::from_ymd_opt(year.cast_signed(), part(0), part(1))?;
        Some(date.and_hms_opt(part(2), part(3), part(4))?.and_utc())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
    };

    use super::*;

    fn signed(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn day(text: &str) -> DateTime<Utc> {
        format!("{text}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn both_notations_of_a_date_are_read() {
        // Up to 2049 a certificate has UTCTime, from 2050 on GeneralizedTime.
        for (year, text) in [
            (1970, "1970"),
            (1999, "1999"),
            (2049, "2049"),
            (2050, "2050"),
            (9999, "9999"),
        ] {
            let certificate = signed(|params| {
                params.not_before = date_time_ymd(1950, 2, 3);
                params.not_after = date_time_ymd(year, 12, 31);
            });
            let validity = CertificateFacts::read(&certificate).unwrap().validity;
            assert_eq!(validity.from, day("1950-02-03"));
            assert_eq!(validity.until, day(&format!("{text}-12-31")));
        }
    }

    #[test]
    fn a_ca_says_that_it_is_one() {
        let is_ca = |ca: IsCa| {
            let certificate = signed(|params| params.is_ca = ca);
            CertificateFacts::read(&certificate).unwrap().is_ca
        };
        assert!(!is_ca(IsCa::NoCa));
        assert!(!is_ca(IsCa::ExplicitNoCa));
        assert!(is_ca(IsCa::Ca(BasicConstraints::Unconstrained)));
        assert!(is_ca(IsCa::Ca(BasicConstraints::Constrained(3))));
    }

    #[test]
    fn usages_say_whether_a_server_may_present_it() {
        use ExtendedKeyUsagePurpose::{Any, ClientAuth, CodeSigning, ServerAuth};
        for (usages, is_for_servers) in [
            (vec![], true),
            (vec![ServerAuth], true),
            (vec![ClientAuth, ServerAuth], true),
            (vec![Any], true),
            (vec![ClientAuth, CodeSigning], false),
        ] {
            let certificate = signed(|params| params.extended_key_usages = usages.clone());
            let facts = CertificateFacts::read(&certificate).unwrap();
            assert_eq!(facts.is_for_servers, is_for_servers, "{usages:?}");
        }
    }

    #[test]
    fn a_certificate_that_is_cut_off_is_unreadable() {
        let certificate = signed(|_| {});
        for end in 0..certificate.len() {
            assert_eq!(CertificateFacts::read(&certificate[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..400, byte: u8) {
            let mut certificate = signed(|_| {});
            let at = at % certificate.len();
            certificate[at] = byte;
            let _ = CertificateFacts::read(&certificate);
        }

        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = CertificateFacts::read(&bytes);
            let mut nested = vec![SEQUENCE, 0x82, 0, 0];
            nested.extend(&bytes);
            let _ = CertificateFacts::read(&nested);
        }
    }
}
