use super::{ClientView, PageForm, PersonView};

/// Whether to sign out.
///
/// Buttons `do`: `logout` (first), `stay`.
#[derive(Debug)]
pub struct LogoutView {
    /// What the form sends back.
    pub form: PageForm,
    /// The client that asks, where it is known.
    pub client: Option<ClientView>,
    /// Who is signed in.
    pub person: PersonView,
}

/// Signed out, or left signed in.
#[derive(Debug)]
pub struct LoggedOutView {
    /// Whether the session ended; `false` after `stay`.
    pub ended: bool,
    /// Whether all others of the person ended with it.
    pub everywhere: bool,
}
