//! Certificates built octet by octet, so that a test can put anything anywhere. The signature is not one.

use sealstone_mtls::ClientCertificate;

fn octet(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

/// One DER value.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match content.len() {
        short @ 0..=127 => der.push(octet(short)),
        long => {
            let length: Vec<u8> = long
                .to_be_bytes()
                .into_iter()
                .skip_while(|octet| *octet == 0)
                .collect();
            der.push(0x80 | octet(length.len()));
            der.extend(length);
        }
    }
    der.extend_from_slice(content);
    der
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// `1.2.840.113549.1.9.1` as content octets, tag and length included.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<usize> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut octets = vec![octet(arcs[0] * 40 + arcs[1])];
    for arc in &arcs[2..] {
        let mut groups = vec![octet(arc & 0x7f)];
        let mut rest = arc >> 7;
        while rest > 0 {
            groups.push(octet(rest & 0x7f) | 0x80);
            rest >>= 7;
        }
        groups.reverse();
        octets.extend(groups);
    }
    tlv(6, &octets)
}

pub(crate) const CN: &str = "2.5.4.3";
pub(crate) const O: &str = "2.5.4.10";
pub(crate) const OU: &str = "2.5.4.11";
pub(crate) const UTF8: u8 = 0x0c;
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const TELETEX: u8 = 0x14;
pub(crate) const IA5: u8 = 0x16;
pub(crate) const BMP: u8 = 0x1e;

pub(crate) fn attribute(kind: &str, tag: u8, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(kind), tlv(tag, value)])
}

/// A name of RDNs of attributes, in the order of the DER.
pub(crate) fn name(rdns: &[&[Vec<u8>]]) -> Vec<u8> {
    sequence(
        &rdns
            .iter()
            .map(|rdn| tlv(0x31, &rdn.concat()))
            .collect::<Vec<_>>(),
    )
}

/// The name `CN=text`.
pub(crate) fn common_name(text: &str) -> Vec<u8> {
    name(&[&[attribute(CN, UTF8, text.as_bytes())]])
}

pub(crate) const SAN_EMAIL: u8 = 0x81;
pub(crate) const SAN_DNS: u8 = 0x82;
pub(crate) const SAN_URI: u8 = 0x86;
pub(crate) const SAN_IP: u8 = 0x87;

pub(crate) fn extension(kind: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(kind), tlv(4, value)])
}

pub(crate) fn alt_names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|(tag, value)| tlv(*tag, value)).collect();
    extension("2.5.29.17", &sequence(&names))
}

pub(crate) fn spki(key: u8) -> Vec<u8> {
    let algorithm = sequence(&[oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")]);
    let mut point = vec![0, 4];
    point.extend([key; 64]);
    sequence(&[algorithm, tlv(3, &point)])
}

/// A version 3 certificate of `subject`, with `extensions`, of a key made of the octet `key`.
pub(crate) fn certificate_of(subject: Vec<u8>, extensions: &[Vec<u8>], key: u8, serial: u8) -> Vec<u8> {
    let ecdsa = sequence(&[oid("1.2.840.10045.4.3.2")]);
    let dates = sequence(&[tlv(0x17, b"260101000000Z"), tlv(0x17, b"270101000000Z")]);
    let mut tbs = vec![
        tlv(0xa0, &tlv(2, &[2])),
        tlv(2, &[serial]),
        ecdsa.clone(),
        common_name("an authority"),
        dates,
        subject,
        spki(key),
    ];
    if !extensions.is_empty() {
        tbs.push(tlv(0xa3, &sequence(extensions)));
    }
    sequence(&[sequence(&tbs), ecdsa, tlv(3, &[0, 0x30, 0])])
}

pub(crate) fn with_subject(subject: Vec<u8>) -> ClientCertificate {
    ClientCertificate::from_der(&certificate_of(subject, &[], 1, 1)).unwrap()
}

pub(crate) fn with_alt_names(names: &[(u8, &[u8])]) -> ClientCertificate {
    ClientCertificate::from_der(&certificate_of(common_name("x"), &[alt_names(names)], 1, 1)).unwrap()
}
