//! A login in one step or in two.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::{
    AuthMethod, LoggedIn, LoginRefusal, LoginStep, Name, OpenLogin, Passcode, PasswordAttempt,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Failure, KeystonePeople, read};
use crate::{
    Authentication, DomainKey, DomainRef, Factor, KeystoneError, Label, Login, LoginScope, Outage, Receipt,
    Secret, Token, UserKey, moment,
};

/// Keystone's own limit (`[identity] max_password_length`).
const MAX_PASSWORD: usize = 4_096;
/// How long a login waits for its turn: as long as a person waits for a page.
const PATIENCE: Duration = Duration::from_secs(5);
/// As long as a receipt may be believed to live: Keystone's default is 300 s.
const MAX_RECEIPT: Duration = Duration::from_secs(900);

/// What is kept of a login that waits for a code.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    receipt: Zeroizing<String>,
    methods: Vec<Label>,
}

impl KeystonePeople {
    pub(super) async fn password(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, Failure> {
        if !can_be_asked(attempt) {
            return Err(Failure::Refused(LoginRefusal::Credentials));
        }
        let domain = self.users_of(attempt.domain);
        let user = UserKey::Name {
            name: attempt.user_name.to_owned(),
            domain: domain.clone(),
        };
        let login = Authentication::password(user, Secret::from(attempt.password));
        let login = login.with_scope(LoginScope::Unscoped);
        let asked_at = self.client().now();
        let answer = self.authenticate(&login).await;
        let answer = answer.map_err(|error| Failure::of(error, LoginRefusal::Credentials))?;
        self.step(answer, &domain, &["password"], asked_at).await
    }

    pub(super) async fn code(&self, open: &OpenLogin, code: &Passcode) -> Result<LoginStep, Failure> {
        let asked_at = self.client().now();
        if asked_at >= open.ends_at() {
            return Err(Failure::Refused(LoginRefusal::Ended));
        }
        let digits = code.six_digits().ok_or(Failure::Refused(LoginRefusal::Code))?;
        let receipt = receipt(open)?;
        let proved: Vec<String> = receipt
            .methods()
            .iter()
            .map(|method| method.as_str().to_owned())
            .collect();
        let id = open.user().id();
        let shown = self.memory().spent.show(id, code, asked_at);
        let shown = shown.map_err(|_spent| Failure::Refused(LoginRefusal::Code))?;
        let factor = Factor::Totp {
            user: UserKey::Id(id.clone()),
            passcode: Secret::from(digits),
        };
        let login = Authentication::continuing(receipt, factor).with_scope(LoginScope::Unscoped);
        let answer = match self.authenticate(&login).await {
            Ok(answer) => answer,
            Err(error) => {
                if matches!(error, KeystoneError::Unavailable { .. }) {
                    self.memory().spent.take_back(&shown);
                }
                return Err(Failure::of(error, LoginRefusal::Code));
            }
        };
        let domain = DomainKey::Id(open.user().domain_id().clone());
        let mut proved: Vec<&str> = proved.iter().map(String::as_str).collect();
        proved.push("totp");
        let step = self.step(answer, &domain, &proved, asked_at).await?;
        let who = match &step {
            LoginStep::Done(done) => &done.person.user,
            LoginStep::NeedsCode(more) => more.user(),
        };
        if who.id() == id {
            Ok(step)
        } else {
            Err(read::mismatch("user"))
        }
    }

    /// One login at Keystone, when it is its turn.
    async fn authenticate(&self, login: &Authentication) -> Result<Login, KeystoneError> {
        let turn = tokio::time::timeout(PATIENCE, self.memory().logins.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(KeystoneError::Unavailable {
                operation: "to authenticate",
                outage: Outage::Crowded,
            });
        };
        self.client().authenticate(login).await
    }

    /// `proved` are the methods that were shown: Keystone's answer must name just these.
    async fn step(
        &self,
        answer: Login,
        domain: &DomainKey,
        proved: &[&str],
        asked_at: UnixTime,
    ) -> Result<LoginStep, Failure> {
        match answer {
            Login::Complete(issued) => {
                is_of(&issued.info.user.domain, domain)?;
                let methods = methods(&issued.info.methods, proved)?;
                let person = self.logged_in(issued, asked_at).await?;
                Ok(LoginStep::Done(LoggedIn { person, methods }))
            }
            Login::Incomplete(receipt) => {
                is_of(receipt.domain(), domain)?;
                let _proved = methods(receipt.methods(), proved)?;
                if !wants_a_code(&receipt) {
                    return Err(Failure::Refused(LoginRefusal::Unsupported));
                }
                open(&receipt, asked_at).map(LoginStep::NeedsCode)
            }
        }
    }
}

/// Whether it can be a name and a password at all. What Keystone's databases and hashes stumble over is asked of none.
fn can_be_asked(attempt: &PasswordAttempt<'_>) -> bool {
    Name::parse(attempt.user_name).is_ok()
        && !attempt.user_name.trim().is_empty()
        && !attempt.password.is_empty()
        && attempt.password.len() <= MAX_PASSWORD
        && !attempt.password.contains('\0')
}

/// Keystone found a user of the domain that was asked about. By name that cannot be compared letter by letter.
fn is_of(user: &DomainRef, asked: &DomainKey) -> Result<(), Failure> {
    match asked {
        DomainKey::Id(id) if user.id != *id => Err(read::mismatch("domain")),
        DomainKey::Id(_) | DomainKey::Name(_) => Ok(()),
    }
}

/// The ways that were proved: those that were shown, if Keystone says the same.
fn methods(said: &[Label], proved: &[&str]) -> Result<Vec<AuthMethod>, Failure> {
    let is_said = |method: &&str| said.iter().any(|said| said.as_str() == *method);
    let is_proved = |said: &Label| proved.contains(&said.as_str());
    if !proved.iter().all(is_said) || !said.iter().all(is_proved) {
        return Err(read::mismatch("methods"));
    }
    proved
        .iter()
        .map(|method| match *method {
            "password" => Ok(AuthMethod::Password),
            "totp" => Ok(AuthMethod::OneTimeCode),
            _ => Err(read::mismatch("methods")),
        })
        .collect()
}

/// Whether a code is all that is missing for one of the rules.
fn wants_a_code(receipt: &Receipt) -> bool {
    let proved = |method: &Label| receipt.methods().contains(method);
    receipt.required_methods().iter().any(|rule| {
        let mut missing = rule.iter().filter(|method| !proved(method)).peekable();
        missing.peek().is_some() && missing.all(|method| method.as_str() == "totp")
    })
}

fn open(receipt: &Receipt, now: UnixTime) -> Result<OpenLogin, Failure> {
    let state = State {
        receipt: Zeroizing::new(receipt.token().expose().to_owned()),
        methods: receipt.methods().to_vec(),
    };
    let state = serde_json::to_string(&state).map(Zeroizing::new);
    let state = state.map_err(Failure::malformed)?;
    let user = read::user_ref(receipt.user_id(), receipt.user_name(), receipt.domain())?;
    // By a clock that may differ: Keystone judges the receipt itself. Ours only ends what nobody goes on with.
    let latest = moment::after(now, MAX_RECEIPT);
    let ends_at = receipt.expires_at().min(latest);
    Ok(OpenLogin::new(user, state, ends_at))
}

fn receipt(open: &OpenLogin) -> Result<Receipt, Failure> {
    let state: State = serde_json::from_str(open.expose_state()).map_err(Failure::malformed)?;
    let user = open.user();
    let domain_name = user.domain_name().map_or("", Name::as_str);
    Ok(Receipt {
        token: Token::parse(&state.receipt).map_err(Failure::malformed)?,
        user_id: user.id().clone(),
        user_name: Label::from(user.name().as_str()),
        domain: DomainRef {
            id: user.domain_id().clone(),
            name: Label::from(domain_name),
        },
        methods: state.methods,
        required: Vec::new(),
        expires_at: open.ends_at(),
    })
}
