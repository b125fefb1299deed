mod templates;
mod words;

use std::fmt;

use crate::brand::Brand;
use crate::texts::Texts;
use crate::view::Page;

/// Where a page is shown.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// How it looks.
    pub brand: &'a Brand,
    /// What it says; of the same brand.
    pub texts: &'a Texts,
    /// What stands at the head if the brand has no name: the service's.
    pub site: &'a str,
    /// The issuer's path (`/v4/oauth2/demo`): the files of the brand are under its `assets/`.
    pub issuer_path: &'a str,
    /// What the page's forms post.
    pub form: &'a Form,
}

/// What a form posts besides its fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// Where.
    pub action: String,
    /// Names and values of hidden fields.
    pub hidden: Vec<(String, String)>,
}

/// A page as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// A whole document.
    pub html: String,
    /// What the content security policy has to let run.
    pub script: Script,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rendered")
            .field("octets", &self.html.len())
            .field("script", &self.script)
            .finish()
    }
}

/// The scripts of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the edge has a policy for each")]
pub enum Script {
    /// None.
    None,
    /// `passkey.js` among the brand's files.
    Passkey,
    /// The one line that posts a form, in the page itself: [`Script::FORM_POST_HASH`] lets it run, and nothing else.
    FormPost,
}

impl Script {
    /// The source expression (CSP Level 3 §6.7.2.3) of the script in the page of `form_post`.
    pub const FORM_POST_HASH: &'static str = "'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='";

    const fn of(page: &Page) -> Self {
        match page {
            Page::Login(login) if login.passkey.is_some() => Self::Passkey,
            Page::Code(code) if code.passkey.is_some() => Self::Passkey,
            Page::EnrolPasskey(_) => Self::Passkey,
            Page::FormPost(_) => Self::FormPost,
            Page::Login(_)
            | Page::SelectAccount(_)
            | Page::Code(_)
            | Page::Wait(_)
            | Page::Enrol(_)
            | Page::EnrolTotp(_)
            | Page::RecoveryCodes(_)
            | Page::Consent(_)
            | Page::DeviceCode(_)
            | Page::DeviceConfirm(_)
            | Page::DeviceDone(_)
            | Page::Account(_)
            | Page::Logout(_)
            | Page::LoggedOut(_)
            | Page::Error(_) => Self::None,
        }
    }
}

/// A page that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("a page could not be written")]
pub struct RenderError(#[from] askama::Error);

/// Writes a page.
///
/// # Errors
/// [`RenderError`], which no input brings about.
///
/// # Examples
/// ```
/// use sealstone_pages::{Brand, ErrorKind, ErrorPage, Form, Page, Setting, render};
///
/// let brand = Brand::plain();
/// let setting = Setting {
///     brand: &brand,
///     texts: brand.texts(&["de-AT, en;q=0.5"]),
///     site: "Demo",
///     issuer_path: "/v4/oauth2/demo",
///     form: &Form::default(),
/// };
/// let page = Page::Error(ErrorPage {
///     kind: ErrorKind::Expired,
///     client: None,
///     code: None,
///     description: None,
///     request_id: "r-1".to_owned(),
/// });
/// let rendered = render(&page, &setting)?;
/// assert!(rendered.html.contains("<h1>Diese Seite ist abgelaufen</h1>"));
/// # Ok::<(), sealstone_pages::RenderError>(())
/// ```
pub fn render(page: &Page, setting: &Setting<'_>) -> Result<Rendered, RenderError> {
    Ok(Rendered {
        html: templates::html(page, setting)?,
        script: Script::of(page),
    })
}
