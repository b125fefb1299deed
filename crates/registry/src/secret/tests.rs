use super::*;

fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

#[test]
fn a_secret_is_43_characters_that_every_client_sends_alike() {
    for fill in [0, 1, 0x7f, 0xfb, 0xff] {
        let text = ClientSecretText::from_random([fill; 32]);
        assert_eq!(text.expose().len(), 43);
        assert!(
            text.expose()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
    }
}

#[test]
fn a_hash_depends_on_the_secret_and_on_the_pepper() {
    let (one, two) = (
        ClientSecretText::from_random([1; 32]),
        ClientSecretText::from_random([2; 32]),
    );
    assert_eq!(one.hash(&pepper()), one.hash(&pepper()));
    assert_ne!(one.hash(&pepper()), two.hash(&pepper()));
    assert_ne!(one.hash(&pepper()), one.hash(&Pepper::from_bytes([8; 32])));
}

#[test]
fn the_stored_form_of_a_hash_round_trips_and_nothing_else_is_read() {
    let hash = ClientSecretText::from_random([1; 32]).hash(&pepper());
    assert_eq!(SecretHash::parse(&hash.to_text()), Some(hash));
    let text = hash.to_text();
    for bad in [
        &text[..42],
        &format!("{text}A"),
        &format!("{}=", &text[..42]),
        &format!("{}+", &text[..42]),
        "",
    ] {
        assert_eq!(SecretHash::parse(bad), None, "{bad}");
    }
}

/// F16: a prefix, a longer text, a NUL behind it and a megabyte are all wrong, the last at a bounded price.
#[test]
fn f16_neither_prefix_nor_suffix_nor_size_matches() {
    let text = ClientSecretText::from_random([1; 32]);
    let stored = text.hash(&pepper());
    assert_eq!(pepper().hash(&Secret::from(text.expose().to_owned())), stored);
    let long = format!("{}{}", text.expose(), "A".repeat(1 << 20));
    for wrong in [
        &text.expose()[..42],
        &format!("{}A", text.expose()),
        &format!("{}\0", text.expose()),
        "",
        &long,
    ] {
        assert_ne!(pepper().hash(&Secret::from(wrong.to_owned())), stored);
    }
    // Only the head of an overlong text is hashed: two with one head cost and give the same.
    let (a, b) = ("x".repeat(MAX_SECRET_LENGTH + 1), "x".repeat(1 << 20));
    assert_eq!(pepper().hash(&Secret::from(a)), pepper().hash(&Secret::from(b)));
    // No text within the limit has that hash.
    let within = format!("too long\0{}", "x".repeat(MAX_SECRET_LENGTH - 9));
    assert_ne!(
        pepper().hash(&Secret::from(within)),
        pepper().hash(&Secret::from("x".repeat(MAX_SECRET_LENGTH + 1)))
    );
}

#[test]
fn a_pepper_is_64_digits_that_are_random() {
    let good = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    let bytes = Pepper::from_hex(&format!("{good}\n")).expect("good pepper");
    let secret = ClientSecretText::from_random([1; 32]);
    let lower = Pepper::from_hex(&good.to_lowercase()).expect("good pepper");
    assert_eq!(secret.hash(&bytes), secret.hash(&lower));
    assert_eq!(bytes.fingerprint().len(), 8);
    assert_ne!(bytes.fingerprint(), pepper().fingerprint());

    let cases = [
        ("", PepperError::Length { found: 0 }),
        (&good[..63], PepperError::Length { found: 63 }),
        (&good.replace("aa", "+a"), PepperError::Digits),
        (&good.replace("aa", "zz"), PepperError::Digits),
        (&good.replace("aa", "é"), PepperError::Digits),
        (&"ab".repeat(32), PepperError::NotRandom),
    ];
    for (text, want) in cases {
        assert_eq!(Pepper::from_hex(text).err(), Some(want), "{text}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let text = ClientSecretText::from_random([1; 32]);
    let hash = text.hash(&pepper());
    let printed = format!("{text:?} {hash:?} {:?}", pepper());
    assert!(
        !printed.contains(text.expose()) && !printed.contains(&hash.to_text()) && !printed.contains("07")
    );
}
