//! QR codes, as SVG for a page and as text for a terminal.

use std::fmt::Write as _;

use qrcodegen::{QrCode as Matrix, QrCodeEcc};

/// A longer text makes a code that a phone no longer reads from a screen.
const MAX_TEXT: usize = 1024;
/// ISO/IEC 18004 asks for four light modules around a code.
const QUIET: i32 = 4;

/// A QR code of error correction level M.
///
/// # Examples
/// ```
/// # use sealstone_factors::QrCode;
/// let code = QrCode::of("otpauth://totp/demo")?;
/// assert!(code.svg().starts_with("<svg "));
/// assert!(code.terminal().contains('█'));
/// # Ok::<(), sealstone_factors::QrError>(())
/// ```
#[derive(Clone)]
pub struct QrCode(Matrix);

impl QrCode {
    /// The code that holds `text`.
    ///
    /// # Errors
    /// [`QrError`] for more than 1024 bytes.
    pub fn of(text: &str) -> Result<Self, QrError> {
        if text.len() > MAX_TEXT {
            return Err(QrError);
        }
        Matrix::encode_text(text, QrCodeEcc::Medium)
            .map(Self)
            .map_err(|_too_long| QrError)
    }

    /// How many modules a side has, with the light ones around: the drawing is `0 0 side side`.
    #[must_use]
    pub fn side(&self) -> u32 {
        let side = self.0.size().saturating_add(QUIET.saturating_mul(2));
        u32::try_from(side).unwrap_or_default()
    }

    /// The dark modules as the `d` of one SVG path, to be stroked one module wide: letters, digits, blanks, dots and
    /// minus signs. A page whose style gives the colours draws it by itself.
    #[must_use]
    pub fn path(&self) -> String {
        // Where the pen is; each step is from there, which makes for short numbers.
        let (mut pen, mut path) = ((0, 0), format!("M{QUIET} {QUIET}.5"));
        for y in 0..self.0.size() {
            let mut x = 0;
            while x < self.0.size() {
                let run = (x..self.0.size())
                    .take_while(|x| self.0.get_module(*x, y))
                    .count();
                let run = i32::try_from(run).unwrap_or_default();
                if run > 0 {
                    let (right, down) = (x.saturating_sub(pen.0), y.saturating_sub(pen.1));
                    // Writing to a string does not fail.
                    let _written = write!(path, "m{right} {down}h{run}");
                    pen = (x.saturating_add(run), y);
                }
                x = x.saturating_add(run).saturating_add(1);
            }
        }
        path
    }

    /// An `<svg>` element of numbers and fixed words only: safe to put into a page as it is, in dark mode too, and
    /// without a style that a content security policy would refuse. Its text alternative is the page's to give.
    #[must_use]
    pub fn svg(&self) -> String {
        let (side, path) = (self.side(), self.path());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\" aria-hidden=\"true\" focusable=\"false\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/><path stroke=\"#000\" d=\"{path}\"/></svg>"
        )
    }

    /// The code in half blocks, two rows a line, for a terminal with light text on a dark ground: light modules are
    /// the blocks.
    #[must_use]
    pub fn terminal(&self) -> String {
        let edge = self.0.size().saturating_add(QUIET);
        let light = |x: i32, y: i32| !self.0.get_module(x, y);
        let mut text = String::new();
        let mut y = QUIET.saturating_neg();
        while y < edge {
            let below = y.saturating_add(1);
            for x in QUIET.saturating_neg()..edge {
                text.push(match (light(x, y), below < edge && light(x, below)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            text.push('\n');
            y = y.saturating_add(2);
        }
        text
    }
}

impl std::fmt::Debug for QrCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("QrCode([redacted])")
    }
}

/// The text does not fit a code that can be read from a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is too long for a QR code: {MAX_TEXT} bytes are the most")]
#[expect(clippy::exhaustive_structs, reason = "there is one cause")]
pub struct QrError;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a phone sees in the drawings is the code itself, with its quiet zone.
    #[test]
    fn both_drawings_show_the_same_modules() {
        let code = QrCode::of("otpauth://totp/Example:demo?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        let side = code.0.size() + 2 * QUIET;
        let dark = |x: i32, y: i32| code.0.get_module(x - QUIET, y - QUIET);
        let text = code.terminal();
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        assert_eq!(lines.len(), usize::try_from(side + 1).unwrap() / 2);
        for y in 0..side {
            for x in 0..side {
                let cell = lines[usize::try_from(y / 2).unwrap()][usize::try_from(x).unwrap()];
                let light = if y % 2 == 0 {
                    matches!(cell, '█' | '▀')
                } else {
                    matches!(cell, '█' | '▄')
                };
                assert_eq!(light, !dark(x, y), "{x} {y}");
            }
        }
        assert_eq!(i32::try_from(code.side()), Ok(side));
        let svg = code.svg();
        assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
        assert!(svg.contains(&code.path()));
        let drawn = drawn(&code.path());
        for y in 0..side {
            for x in 0..side {
                assert_eq!(drawn.contains(&(x, y)), dark(x, y), "{x} {y}");
            }
        }
    }

    /// The modules that a pen one module wide marks on the way of the path.
    fn drawn(path: &str) -> std::collections::BTreeSet<(i32, i32)> {
        let (start, steps) = path.split_once('m').unwrap();
        assert_eq!(start, format!("M{QUIET} {QUIET}.5"));
        let (mut x, mut y) = (QUIET, QUIET);
        let mut marked = std::collections::BTreeSet::new();
        for step in steps.split('m') {
            let (to, run) = step.split_once('h').unwrap();
            let (right, down) = to.split_once(' ').unwrap();
            x += right.parse::<i32>().unwrap();
            y += down.parse::<i32>().unwrap();
            for _module in 0..run.parse::<i32>().unwrap() {
                marked.insert((x, y));
                x += 1;
            }
        }
        marked
    }

    #[test]
    fn a_text_that_no_phone_would_read_is_refused() {
        assert!(QrCode::of(&"x".repeat(MAX_TEXT)).is_ok());
        assert!(QrCode::of(&"x".repeat(MAX_TEXT + 1)).is_err());
    }
}
