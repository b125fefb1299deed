//! A person who signs in at whichever nodes the balancer picks, and what a client does with their codes.

use std::sync::Arc;

use sealstone_interop::{Answer, Browser, Https, HttpsError, Page, Step};
use sealstone_testkit::{base64url, escaped, sha256};

use crate::load::Credentials;
use crate::world::World;

/// Nobody listens there: the test is the browser.
pub(crate) const CALLBACK: &str = "https://web.example/callback";
const PASSWORD: &str = "correct horse battery staple";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-RFC-7636-and-no-longer";

pub(crate) struct Person(Browser);

impl Person {
    pub(crate) fn sign_up(world: &World) -> Self {
        world.setup.write_private("ada.txt", PASSWORD);
        let file = world.setup.path("ada.txt").display().to_string();
        drop(world.administer(&[
            "user",
            "create",
            "ada",
            "--domain",
            "demo",
            "--password-file",
            &file,
        ]));
        Self(world.browser())
    }

    /// Somebody whom nobody knows.
    pub(crate) fn stranger(world: &World) -> Self {
        Self(world.browser())
    }

    /// Tries a password for a name. Whether it must wait before it tries again.
    pub(crate) fn guess(&mut self, world: &World, web: &Credentials, name: &str) -> bool {
        let page = self.0.open(&authorize(world, web)).page();
        let values = [("user_name", name), ("password", "a guess")];
        self.0.submit(&page, &values).page().says("Too many attempts")
    }

    /// A code; the person signs in where that is due. Every step of it may be at another node.
    pub(crate) fn code(&mut self, world: &World, web: &Credentials) -> String {
        let mut step = self.0.open(&authorize(world, web));
        for _ in 0..5 {
            let page = match step {
                Step::Left(url) => return code_of(&url),
                Step::Page(page) => page,
            };
            step = self.answer(&page);
        }
        code_of(&step.left())
    }

    fn answer(&mut self, page: &Page) -> Step {
        let asks_password = page
            .forms()
            .iter()
            .any(|form| form.fields.iter().any(|(name, _)| name == "password"));
        if asks_password {
            return self
                .0
                .submit(page, &[("user_name", "ada"), ("password", PASSWORD)]);
        }
        assert_eq!(page.answer.status, 200, "{}", page.answer.text());
        self.0.press(page, "allow", &[])
    }

    /// The first refresh token of a new family.
    pub(crate) fn family(&mut self, world: &World, web: &Arc<Credentials>) -> String {
        let code = self.code(world, web);
        let answer = exchange(&world.https(), &world.url("/token"), web, &code).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["refresh_token"].as_str().unwrap().to_owned()
    }
}

/// Where a login begins: at the balancer.
fn authorize(world: &World, web: &Credentials) -> String {
    let challenge = base64url(&sha256(VERIFIER.as_bytes()));
    format!(
        "{}?response_type=code&client_id={}&redirect_uri={}&scope=openid%20offline_access&prompt=consent\
         &state=s&code_challenge={challenge}&code_challenge_method=S256",
        world.url("/authorize"),
        web.id,
        escaped(CALLBACK),
    )
}

fn code_of(url: &str) -> String {
    let (_, query) = url.split_once('?').unwrap_or_else(|| panic!("{url}"));
    let code = query.split('&').find_map(|pair| pair.strip_prefix("code="));
    code.unwrap_or_else(|| panic!("{url}")).to_owned()
}

pub(crate) fn exchange(
    https: &Https,
    url: &str,
    web: &Credentials,
    code: &str,
) -> Result<Answer, HttpsError> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    web.ask(https, url, &form)
}
