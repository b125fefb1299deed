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

    /// An `<svg>` element of numbers and fixed words only: safe to put into a page as it is, in dark mode too, and
    /// without a style that a content security policy would refuse. Its text alternative is the page's to give.
    #[must_use]
    pub fn svg(&self) -> String {
        let side = self.0.size().saturating_add(QUIET.saturating_mul(2));
        let mut path = String::new();
        for y in 0..self.0.size() {
            let mut x = 0;
            while x < self.0.size() {
                let run = (x..self.0.size())
                    .take_while(|x| self.0.get_module(*x, y))
                    .count();
                let run = i32::try_from(run).unwrap_or_default();
                if run > 0 {
                    let (left, top) = (x.saturating_add(QUIET), y.saturating_add(QUIET));
                    // Writing to a string does not fail.
                    let _written = write!(path, "M{left} {top}h{run}v1h-{run}z");
                }
                x = x.saturating_add(run).saturating_add(1);
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\" aria-hidden=\"true\" focusable=\"false\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
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
