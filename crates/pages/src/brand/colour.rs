use std::fmt;

use serde::Deserialize;

/// Least contrast between text and what is behind it (WCAG 2.2, 1.4.3).
const TEXT_CONTRAST: f64 = 4.5;
/// Least contrast of a field's border (WCAG 2.2, 1.4.11).
const BORDER_CONTRAST: f64 = 3.0;

/// A colour as `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Colour([u8; 3]);

impl Colour {
    const fn of(rgb: u32) -> Self {
        let [_, red, green, blue] = rgb.to_be_bytes();
        Self([red, green, blue])
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|octet| {
            let part = f64::from(octet) / 255.0;
            if part <= 0.040_45 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// From 1 (the same) to 21 (black and white).
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }
}

impl TryFrom<String> for Colour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WANTED: &str = "a colour is written as `#` and six hexadecimal digits";
        let digits = text.strip_prefix('#').ok_or(WANTED)?;
        if digits.len() != 6 || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(WANTED);
        }
        u32::from_str_radix(digits, 16)
            .map(Self::of)
            .map_err(|_overflow| WANTED)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}

macro_rules! scheme {
    ($($(#[$doc:meta])* $key:ident $css:literal,)*) => {
        /// The colours of one scheme.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Scheme {
            $($(#[$doc])* $key: Colour,)*
        }

        /// What a brand replaces of a scheme.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct SchemeChanges {
            $($key: Option<Colour>,)*
        }

        impl Scheme {
            pub(crate) fn with(mut self, changes: &SchemeChanges) -> Self {
                $(if let Some(colour) = changes.$key { self.$key = colour; })*
                self
            }

            /// As custom properties of a stylesheet.
            pub(crate) fn css(&self) -> String {
                [$(format!("--{}:{}", $css, self.$key),)*].join(";")
            }
        }
    };
}

scheme! {
    /// Around the card, and behind fields.
    page "page",
    /// Behind the text.
    card "card",
    text "text",
    /// What matters less.
    muted "muted",
    /// Around fields.
    line "line",
    /// Between parts.
    hair "hair",
    /// Buttons and links.
    accent "accent",
    /// Text of buttons.
    on_accent "on-accent",
    danger "danger",
    danger_page "danger-page",
    warn "warn",
    warn_page "warn-page",
    good "good",
    good_page "good-page",
}

impl Scheme {
    pub(crate) const LIGHT: Self = Self {
        page: Colour::of(0x00f2_f4f7),
        card: Colour::of(0x00ff_ffff),
        text: Colour::of(0x0017_212e),
        muted: Colour::of(0x0055_616f),
        line: Colour::of(0x0080_8b98),
        hair: Colour::of(0x00dd_e2e8),
        accent: Colour::of(0x001d_4f91),
        on_accent: Colour::of(0x00ff_ffff),
        danger: Colour::of(0x009b_1c1c),
        danger_page: Colour::of(0x00fd_eeee),
        warn: Colour::of(0x0063_4400),
        warn_page: Colour::of(0x00ff_f4d6),
        good: Colour::of(0x001b_6034),
        good_page: Colour::of(0x00e8_f5ec),
    };

    pub(crate) const DARK: Self = Self {
        page: Colour::of(0x000e_1319),
        card: Colour::of(0x0018_2029),
        text: Colour::of(0x00e6_ebf1),
        muted: Colour::of(0x00a3_afbc),
        line: Colour::of(0x006f_7b88),
        hair: Colour::of(0x002b_3541),
        accent: Colour::of(0x008c_b8f2),
        on_accent: Colour::of(0x000b_1b30),
        danger: Colour::of(0x00ff_aba3),
        danger_page: Colour::of(0x003a_1715),
        warn: Colour::of(0x00f3_cd7a),
        warn_page: Colour::of(0x0033_270a),
        good: Colour::of(0x008f_d6a8),
        good_page: Colour::of(0x0012_301d),
    };

    /// The first two colours that can't be told apart well enough, with their contrast and the least that will do.
    pub(crate) fn unreadable(&self) -> Option<Unreadable> {
        let text = [
            ("text", self.text, "page", self.page),
            ("text", self.text, "card", self.card),
            ("muted", self.muted, "page", self.page),
            ("muted", self.muted, "card", self.card),
            ("accent", self.accent, "page", self.page),
            ("accent", self.accent, "card", self.card),
            ("on_accent", self.on_accent, "accent", self.accent),
            ("danger", self.danger, "card", self.card),
            ("danger", self.danger, "page", self.page),
            ("danger", self.danger, "danger_page", self.danger_page),
            ("warn", self.warn, "warn_page", self.warn_page),
            ("good", self.good, "good_page", self.good_page),
        ];
        let borders = [
            ("line", self.line, "card", self.card),
            ("line", self.line, "page", self.page),
        ];
        let text = text.map(|pair| (pair, TEXT_CONTRAST));
        let borders = borders.map(|pair| (pair, BORDER_CONTRAST));
        text.into_iter()
            .chain(borders)
            .find_map(|((front, one, back, other), least)| {
                let contrast = one.contrast(other);
                (contrast < least).then_some(Unreadable {
                    front,
                    back,
                    contrast,
                    least,
                })
            })
    }
}

/// Two colours that are too close.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{front}` on `{back}` has a contrast of {contrast:.1}; people need at least {least}")]
pub(crate) struct Unreadable {
    front: &'static str,
    back: &'static str,
    contrast: f64,
    least: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_colours_can_be_read() {
        assert_eq!(Scheme::LIGHT.unreadable(), None);
        assert_eq!(Scheme::DARK.unreadable(), None);
    }

    #[test]
    fn contrast_is_as_wcag_counts_it() {
        for (one, other, want) in [
            (0x0000_0000, 0x00ff_ffff, 21.0),
            (0x00ff_ffff, 0x00ff_ffff, 1.0),
            (0x0076_7676, 0x00ff_ffff, 4.54),
            (0x0077_7777, 0x00ff_ffff, 4.48),
            (0x00ff_0000, 0x00ff_ffff, 4.0),
            (0x0000_00ff, 0x00ff_ffff, 8.59),
        ] {
            let contrast = Colour::of(one).contrast(Colour::of(other));
            assert!(
                (contrast - want).abs() < 0.01,
                "{one:06x} on {other:06x}: {contrast}"
            );
        }
    }

    #[test]
    fn each_colour_that_carries_text_is_looked_at() {
        let same = |name: &str| {
            let changes: SchemeChanges = toml::from_str(&format!("{name} = \"#808080\"")).unwrap();
            Scheme::LIGHT.with(&changes).unreadable()
        };
        for name in [
            "text",
            "muted",
            "accent",
            "on_accent",
            "danger",
            "warn",
            "good",
            "card",
            "danger_page",
        ] {
            assert!(same(name).is_some(), "{name}");
        }
    }

    #[test]
    fn colours_are_written_in_one_way() {
        for text in [
            "red",
            "#fff",
            "1d4f91",
            "#1d4f9",
            "#1d4f911",
            "#+d4f91",
            "#gggggg",
            "rgb(0,0,0)",
            "",
        ] {
            assert!(Colour::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(
            Colour::try_from("#1D4f91".to_owned()).unwrap().to_string(),
            "#1d4f91"
        );
    }
}
