use std::fmt;

use askama::filters::HtmlSafe;
use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around a QR code, which readers need (ISO/IEC 18004 §6.3.8).
const QUIET: i32 = 4;

/// A text as a QR code in SVG: one path, a line for each run of dark modules.
pub(crate) struct Picture(Option<QrCode>);

impl Picture {
    /// Draws nothing if the text does not fit: the page shows the key as text anyway.
    pub(crate) fn of(text: &str) -> Self {
        Self(QrCode::encode_text(text, QrCodeEcc::Medium).ok())
    }

    pub(crate) const fn is_drawn(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn width(&self) -> i32 {
        let size = self.0.as_ref().map_or(0, QrCode::size);
        size.saturating_add(QUIET.saturating_mul(2))
    }

    /// What the `d` attribute of the path is.
    pub(crate) fn path(&self) -> Path<'_> {
        Path(self.0.as_ref())
    }
}

pub(crate) struct Path<'a>(Option<&'a QrCode>);

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = self.0 else { return Ok(()) };
        // Where the pen is; each step is from there, which makes for short numbers.
        let (mut x, mut y) = (0, 0);
        write!(formatter, "M{QUIET} {QUIET}.5")?;
        for row in 0..code.size() {
            let mut column = 0;
            while column < code.size() {
                let run = (column..code.size())
                    .take_while(|at| code.get_module(*at, row))
                    .count();
                let run = i32::try_from(run).unwrap_or(i32::MAX);
                if run > 0 {
                    let (right, down) = (column.saturating_sub(x), row.saturating_sub(y));
                    write!(formatter, "m{right} {down}h{run}")?;
                    (x, y) = (column.saturating_add(run), row);
                }
                column = column.saturating_add(run.max(1));
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Path<'_> {}
