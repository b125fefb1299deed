//! Just enough DER to write names that no well-behaved library writes, and to swap a field of what one wrote.

/// Tags used here.
pub(crate) mod tag {
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// One element: tag, definite length, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes: Vec<u8> = length
                .to_be_bytes()
                .into_iter()
                .skip_while(|byte| *byte == 0)
                .collect();
            out.push(0x80 | u8::try_from(bytes.len()).expect("at most 8 length octets"));
            out.extend_from_slice(&bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// The elements side by side in `bytes`: for each its tag, its whole encoding and its content.
pub(crate) fn elements(mut bytes: &[u8]) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let element = first(bytes).expect("well-formed DER made by a library");
        bytes = bytes.get(element.whole.len()..).unwrap_or_default();
        found.push(element);
    }
    found
}

/// One element read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) whole: &'a [u8],
    pub(crate) content: &'a [u8],
}

fn first(bytes: &[u8]) -> Option<Element<'_>> {
    let length_octet = *bytes.get(1)?;
    let (header, length) = if length_octet < 0x80 {
        (2, usize::from(length_octet))
    } else {
        let count = usize::from(length_octet & 0x7f);
        let end = count.checked_add(2)?;
        let length = bytes.get(2..end)?.iter().try_fold(0_usize, |length, octet| {
            length.checked_mul(256)?.checked_add(usize::from(*octet))
        })?;
        (end, length)
    };
    let end = header.checked_add(length)?;
    Some(Element {
        whole: bytes.get(..end)?,
        content: bytes.get(header..end)?,
    })
}

/// An object identifier from its arcs.
pub(crate) fn oid(arcs: &[u64]) -> Vec<u8> {
    let (roots, rest) = arcs
        .split_at_checked(2)
        .expect("an object identifier has at least two arcs");
    let first = roots
        .iter()
        .fold(0_u64, |sum, arc| sum.saturating_mul(40).saturating_add(*arc));
    let mut content = Vec::new();
    for arc in std::iter::once(&first).chain(rest) {
        push_base128(&mut content, *arc);
    }
    element(tag::OID, &content)
}

fn push_base128(out: &mut Vec<u8>, value: u64) {
    let mut groups = vec![u8::try_from(value & 0x7f).unwrap_or_default()];
    let mut rest = value >> 7;
    while rest > 0 {
        groups.push(0x80 | u8::try_from(rest & 0x7f).unwrap_or_default());
        rest >>= 7;
    }
    out.extend(groups.iter().rev());
}

/// `signed` is `SEQUENCE { tbs, algorithm, signature }`. Returns it with fields of `tbs` replaced (by index) and
/// signed anew.
pub(crate) fn resign(
    signed: &[u8],
    replacements: &[(usize, &[u8])],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let outer = elements(elements(signed).first().expect("one element").content);
    let tbs = outer.first().expect("tbs");
    let algorithm = outer.get(1).expect("signature algorithm").whole;
    let mut fields: Vec<u8> = Vec::new();
    for (index, field) in elements(tbs.content).iter().enumerate() {
        let replaced = replacements
            .iter()
            .find(|(at, _)| *at == index)
            .map(|(_, with)| *with);
        fields.extend_from_slice(replaced.unwrap_or(field.whole));
    }
    let tbs = element(tag::SEQUENCE, &fields);
    let mut signature = vec![0];
    signature.extend(sign(&tbs));
    let body = [tbs.as_slice(), algorithm, &element(tag::BIT_STRING, &signature)].concat();
    element(tag::SEQUENCE, &body)
}
