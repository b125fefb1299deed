//! A browser without a window: cookies, redirects and forms, over [`Https`]. It runs no script.

use std::collections::BTreeMap;

use crate::{Answer, Https};

/// More redirects in a row than any login takes.
const MAX_REDIRECTS: usize = 10;

/// Cookies by host and port, and the page that is shown.
#[derive(Clone, Debug)]
pub struct Browser {
    https: Https,
    cookies: BTreeMap<(String, String), String>,
    takes_cookies: bool,
    headers: Vec<(String, String)>,
}

/// What the browser shows after it followed every redirect that it could.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it stands.
    pub url: String,
    /// What came.
    pub answer: Answer,
}

/// Where a step of the browser ended.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a test goes on from each")]
pub enum Step {
    /// A page.
    Page(Page),
    /// A redirect to an address that is not the server's: the client's.
    Left(String),
}

/// A form of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageForm {
    /// Where it goes, as written.
    pub action: String,
    /// `get` or `post`.
    pub method: String,
    /// Names and values of its fields; of boxes and choices those that are checked.
    pub fields: Vec<(String, String)>,
    /// Names and values of its buttons, in their order.
    pub buttons: Vec<(String, String)>,
}

impl Browser {
    /// One without a cookie.
    #[must_use]
    pub const fn new(https: Https) -> Self {
        Self {
            https,
            cookies: BTreeMap::new(),
            takes_cookies: true,
            headers: Vec::new(),
        }
    }

    /// One that keeps no cookie.
    #[must_use]
    pub const fn without_cookies(mut self) -> Self {
        self.takes_cookies = false;
        self
    }

    /// The same with one more header in each request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The cookie of this name, of any host.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut found = self.cookies.iter().filter(|((_, known), _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Puts a cookie into the browser, as an attacker would.
    pub fn plant_cookie(&mut self, url: &str, name: &str, value: &str) {
        self.cookies
            .insert((origin(url).to_owned(), name.to_owned()), value.to_owned());
    }

    /// The names of all cookies.
    #[must_use]
    pub fn cookie_names(&self) -> Vec<String> {
        self.cookies.keys().map(|(_, name)| name.clone()).collect()
    }

    /// Opens an address.
    #[must_use]
    pub fn open(&mut self, url: &str) -> Step {
        let answer = self.ask("GET", url, b"");
        self.follow(url, answer)
    }

    /// Sends one request and follows nothing.
    #[must_use]
    pub fn ask(&mut self, method: &str, url: &str, body: &[u8]) -> Answer {
        let own = origin(url).to_owned();
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|((host, _), _)| *host == own)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers: Vec<(&str, &str)> = vec![("accept", "text/html")];
        headers.extend(
            self.headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        if method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            if !self.headers.iter().any(|(name, _)| name == "origin") {
                headers.push(("origin", &own));
            }
        }
        let answer = self.https.send(method, url, &headers, body).expect("an answer");
        self.keep_cookies(&own, &answer);
        answer
    }

    fn keep_cookies(&mut self, own: &str, answer: &Answer) {
        if !self.takes_cookies {
            return;
        }
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie with a name");
            let is_over = attributes
                .split(';')
                .any(|attribute| attribute.trim().eq_ignore_ascii_case("max-age=0"));
            let key = (own.to_owned(), name.trim().to_owned());
            if is_over {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.trim().to_owned());
            }
        }
    }

    fn follow(&mut self, url: &str, answer: Answer) -> Step {
        let (mut url, mut answer) = (url.to_owned(), answer);
        for _ in 0..MAX_REDIRECTS {
            let Some(location) = answer
                .header("location")
                .filter(|_| answer.status == 303 || answer.status == 302)
            else {
                return Step::Page(Page { url, answer });
            };
            let next = absolute(&url, location);
            if origin(&next) != origin(&url) {
                return Step::Left(next);
            }
            answer = self.ask("GET", &next, b"");
            url = next;
        }
        Step::Page(Page { url, answer })
    }

    /// Sends the first form of the page that has these fields, with the values given, by its first button.
    #[must_use]
    pub fn submit(&mut self, page: &Page, values: &[(&str, &str)]) -> Step {
        let form = page.form_with(values);
        let button = form.buttons.first().cloned();
        self.send(page, &form, button, values)
    }

    /// The same by the button of this value.
    #[must_use]
    pub fn press(&mut self, page: &Page, button: &str, values: &[(&str, &str)]) -> Step {
        let forms = page.forms();
        let form = forms
            .iter()
            .find(|form| form.buttons.iter().any(|(_, value)| value == button))
            .expect("a form with this button");
        let pressed = form.buttons.iter().find(|(_, value)| value == button).cloned();
        self.send(page, form, pressed, values)
    }

    fn send(
        &mut self,
        page: &Page,
        form: &PageForm,
        button: Option<(String, String)>,
        values: &[(&str, &str)],
    ) -> Step {
        let mut fields: Vec<(String, String)> = form
            .fields
            .iter()
            .filter(|(name, _)| !values.iter().any(|(given, _)| given == name))
            .cloned()
            .collect();
        fields.extend(
            values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        fields.extend(button.filter(|(name, _)| !name.is_empty()));
        let target = if form.action.is_empty() {
            page.url.clone()
        } else {
            absolute(&page.url, &form.action)
        };
        if origin(&target) != origin(&page.url) {
            return Step::Left(format!("{target}#{}", encoded(&fields)));
        }
        let answer = self.ask("POST", &target, encoded(&fields).as_bytes());
        self.follow(&target, answer)
    }
}

impl Step {
    /// The page; anything else ends the test.
    #[must_use]
    #[expect(clippy::panic, reason = "the test has failed; this says what came instead")]
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Left(url) => panic!("left for {url}"),
        }
    }

    /// Where it went; a page ends the test.
    #[must_use]
    #[expect(clippy::panic, reason = "the test has failed; this says what came instead")]
    pub fn left(self) -> String {
        match self {
            Self::Left(url) => url,
            Self::Page(page) => panic!("{} at {}: {}", page.answer.status, page.url, page.answer.text()),
        }
    }
}

impl Page {
    /// All forms of the page.
    #[must_use]
    pub fn forms(&self) -> Vec<PageForm> {
        forms(&self.answer.text())
    }

    /// The text of the page's title.
    #[must_use]
    pub fn title(&self) -> String {
        let text = self.answer.text();
        let title = text
            .split_once("<title>")
            .and_then(|(_, rest)| rest.split_once("</title>"));
        title.map_or_else(String::new, |(title, _)| unescaped(title.trim()))
    }

    /// Whether the page says this.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        unescaped(&self.answer.text()).contains(text)
    }

    fn form_with(&self, values: &[(&str, &str)]) -> PageForm {
        let forms = self.forms();
        let has = |form: &PageForm, name: &str| form.fields.iter().any(|(known, _)| known == name);
        let found = forms
            .iter()
            .find(|form| values.iter().all(|(name, _)| has(form, name)));
        found.cloned().expect("a form with these fields")
    }
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url
        .get(start..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| start.saturating_add(at));
    url.get(..end).unwrap_or(url)
}

/// A reference against the address it stands in; without dots, which our pages do not write.
fn absolute(base: &str, reference: &str) -> String {
    if reference.contains("://") {
        return reference.to_owned();
    }
    if reference.starts_with('/') {
        return format!("{}{reference}", origin(base));
    }
    let path = base.split(['?', '#']).next().unwrap_or(base);
    if reference.starts_with('?') {
        return format!("{path}{reference}");
    }
    let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or(path);
    format!("{folder}{reference}")
}

/// A form's body.
fn encoded(fields: &[(String, String)]) -> String {
    let escaped = sealstone_testkit::escaped;
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    pairs.join("&")
}

fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(escape, character);
    }
    plain
}

/// The forms of a page of ours: every attribute in double quotes.
fn forms(html: &str) -> Vec<PageForm> {
    let mut found = Vec::new();
    for piece in html.split("<form").skip(1) {
        let whole = piece.split("</form>").next().unwrap_or(piece);
        let (head, inside) = whole.split_once('>').unwrap_or((whole, ""));
        let mut form = PageForm {
            action: attribute(head, "action").unwrap_or_default(),
            method: attribute(head, "method").unwrap_or_else(|| "get".to_owned()),
            ..PageForm::default()
        };
        for piece in inside.split('<').skip(1) {
            let tag = piece.split('>').next().unwrap_or(piece);
            let name = || attribute(tag, "name").unwrap_or_default();
            let value = || attribute(tag, "value").unwrap_or_default();
            if tag.starts_with("input") {
                let kind = attribute(tag, "type").unwrap_or_default();
                let is_choice = kind == "checkbox" || kind == "radio";
                if kind == "submit" {
                    form.buttons.push((name(), value()));
                } else if !is_choice || tag.split_ascii_whitespace().any(|word| word == "checked") {
                    form.fields.push((name(), value()));
                }
            } else if tag.starts_with("button") {
                form.buttons.push((name(), value()));
            } else if tag.starts_with("select") || tag.starts_with("textarea") {
                form.fields.push((name(), String::new()));
            }
        }
        found.push(form);
    }
    found
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = format!(" {name}=\"");
    let (_, rest) = tag.split_once(&start)?;
    rest.split_once('"').map(|(value, _)| unescaped(value))
}

#[cfg(test)]
mod tests {
    use super::{absolute, forms, origin};

    #[test]
    fn forms_are_read() {
        let html = r#"<p><form action="/a?x=1&amp;y=2" method="post"><input type="hidden" name="h" value="&quot;1&quot;">
            <label>N <input type="text" name="n"></label><input type="checkbox" name="c" value="1">
            <input type="radio" name="r" value="2" checked><button name="do" value="go">Go</button>
            <button name="do" value="no">No</button></form><form></form>"#;
        let forms = forms(html);
        assert_eq!(forms.len(), 2);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(forms[0].action, "/a?x=1&y=2");
        assert_eq!(
            forms[0].fields,
            [pair("h", "\"1\""), pair("n", ""), pair("r", "2")]
        );
        assert_eq!(forms[0].buttons, [pair("do", "go"), pair("do", "no")]);
    }

    #[test]
    fn references_are_resolved() {
        let base = "https://id.example:8443/v4/oauth2/demo/interaction?id=1";
        assert_eq!(origin(base), "https://id.example:8443");
        for (reference, whole) in [
            ("/x", "https://id.example:8443/x"),
            ("https://other.example/cb", "https://other.example/cb"),
            ("?id=2", "https://id.example:8443/v4/oauth2/demo/interaction?id=2"),
            (
                "interaction",
                "https://id.example:8443/v4/oauth2/demo/interaction",
            ),
        ] {
            assert_eq!(absolute(base, reference), whole);
        }
    }
}
