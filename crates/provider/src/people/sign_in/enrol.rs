use super::{Asked, Refused, factors, passkey, person_view};
use crate::error::BackendError;
use crate::people::underway::Underway;
use crate::people::view::{
    ClientView, EnrolChoiceView, EnrolPasskeyView, EnrolTotpView, Fault, PasskeyQuestion, RecoveryCodesView,
    View,
};
use crate::people::visit::{Record, Step, Visit};
use sealstone_audit::{Action, Target};
use sealstone_factors::{
    Challenge, Passkey, QrCode, RECOVERY_CODES, RecoveryCode, RecoveryCodes, RegistrationResponse, TotpCode,
    TotpSecret, TotpStep, UserHandle, UserVerification,
};
use sealstone_identity::{AuthMethod, Person};
use sealstone_login::{
    Enrolling, FactorKind, Judged, Kept, LoginDenial, LoginFlow, NextStep, PasskeyFactor, Swap, ThrottleKey,
    TotpFactor, UserFactors,
};
use sealstone_oauth_types::{ClientId, Form, Secret};

/// What came of a step.
pub(crate) enum Enrolled {
    /// Nothing that must be shown at once.
    Nothing,
    /// This page, which nobody can come back to.
    Show(Box<View>),
}

/// Who sets up a factor, for what, and whether they may: which kinds.
pub(crate) struct Enrolment<'a> {
    pub(crate) allowed: &'a [FactorKind],
    pub(crate) client: Option<&'a ClientId>,
}

impl Visit<'_> {
    /// The kinds that may be set up in a sign-in: exactly when that is due. Whoever has a second factor proves it first.
    pub(super) async fn enrolment_due(
        &self,
        underway: &Underway,
        wish: sealstone_login::AcrWish,
    ) -> Step<Vec<FactorKind>> {
        if underway.interaction.login.person().is_none() {
            return Ok(Vec::new());
        }
        let standing = self.standing(underway).await?;
        let flow = LoginFlow::new(&self.realm.config.policy, wish);
        Ok(
            match flow.next(&underway.interaction.login, Some(standing), self.now) {
                Ok(NextStep::Enrolment(kinds)) => kinds,
                Ok(_) | Err(_) => Vec::new(),
            },
        )
    }

    /// The page for a factor that is due and missing: the one that is being set up, or the choice.
    pub(super) async fn enrolment(
        &self,
        underway: &mut Underway,
        asked: &Asked<'_>,
        kinds: &[FactorKind],
    ) -> Step<View> {
        let person = self.signing_in(underway)?;
        let begun = underway.interaction.login.enrolling().map(Enrolling::kind);
        let begun = begun.filter(|kind| kinds.contains(kind));
        if begun.is_none()
            && let [only] = kinds
        {
            self.begin_enrolment(underway, &person, *only).await?;
            return self
                .enrolment_page(underway, asked.client.clone(), asked.fault, *only)
                .await;
        }
        match begun {
            Some(kind) => {
                self.enrolment_page(underway, asked.client.clone(), asked.fault, kind)
                    .await
            }
            None => Ok(View::EnrolChoice(EnrolChoiceView {
                form: underway.form(self),
                client: asked.client.clone(),
                person: person_view(&person),
                offers_totp: kinds.contains(&FactorKind::Totp),
                offers_passkey: kinds.contains(&FactorKind::Passkey),
                may_skip: false,
            })),
        }
    }

    /// Begins, goes on with, or leaves setting up a factor.
    pub(crate) async fn enrolment_step(
        &self,
        underway: &mut Underway,
        pressed: &str,
        form: &Form,
        enrolment: &Enrolment<'_>,
    ) -> Step<Result<Enrolled, Refused>> {
        let person = self.signing_in(underway)?;
        let kind = match pressed {
            "totp" => FactorKind::Totp,
            "passkey" => FactorKind::Passkey,
            "back" => {
                underway.interaction.login.enrolment_left();
                return Ok(Ok(Enrolled::Nothing));
            }
            _ => match underway.interaction.login.enrolling() {
                Some(enrolling) => enrolling.kind(),
                None => return Ok(Err(LoginDenial::OutOfOrder.into())),
            },
        };
        if !enrolment.allowed.contains(&kind) {
            return Ok(Err(LoginDenial::OutOfOrder.into()));
        }
        if pressed != "confirm" {
            self.begin_enrolment(underway, &person, kind).await?;
            return Ok(Ok(Enrolled::Nothing));
        }
        let confirmed = match kind {
            FactorKind::Totp => self.confirm_totp(underway, &person, form).await?,
            FactorKind::Passkey => self.confirm_passkey(underway, &person, form).await?,
            FactorKind::Recovery | FactorKind::Authority => Err(LoginDenial::OutOfOrder.into()),
        };
        if let Err(refused) = confirmed {
            return Ok(Err(refused));
        }
        self.record(&Record {
            action: Action::AddFactor,
            user: Some(person.user.id().as_str()),
            client: enrolment.client,
            target: Target::User(person.user.id().as_str().into()),
            refused: None,
        })?;
        self.keep(underway).await?;
        Ok(Ok(match self.first_recovery_codes(underway, &person).await? {
            Some(view) => Enrolled::Show(Box::new(view)),
            None => Enrolled::Nothing,
        }))
    }

    pub(crate) async fn begin_enrolment(
        &self,
        underway: &mut Underway,
        person: &Person,
        kind: FactorKind,
    ) -> Step<()> {
        let state = match kind {
            FactorKind::Totp => {
                let secret = TotpSecret::from_octets(self.random()?);
                self.seal_totp(person.user.id(), &secret)?
            }
            FactorKind::Passkey | FactorKind::Recovery | FactorKind::Authority => {
                Kept::of(&Challenge::from_octets(self.random()?))?
            }
        };
        let begun = underway
            .interaction
            .login
            .enrolment_began(Enrolling::new(kind, state));
        if begun.is_err() {
            return Err(self.stop(crate::people::view::PageErrorKind::Expired));
        }
        self.keep(underway).await
    }

    /// The page of the factor that is being set up.
    pub(crate) async fn enrolment_page(
        &self,
        underway: &mut Underway,
        client: Option<ClientView>,
        fault: Option<Fault>,
        kind: FactorKind,
    ) -> Step<View> {
        let person = self.signing_in(underway)?;
        if kind == FactorKind::Totp {
            return self.totp_page(underway, client, fault, &person);
        }
        // Each page asks anew: a question is answered once, rightly or wrongly.
        self.begin_enrolment(underway, &person, kind).await?;
        let question = self.enrolling_state(underway)?;
        let challenge: Challenge = factors::read(question)?;
        let factors = self.factors_or_none(person.user.id()).await?;
        let existing = passkey::passkeys_of(&factors)?;
        let existing: Vec<&Passkey> = existing.iter().collect();
        let handle = UserHandle::of(self.domain().as_str(), person.user.id().as_str());
        let name = person.user.name().as_str();
        let full_name = person.full_name.as_ref().map_or(name, |name| name.as_str());
        let options = self.relying_party()?.creation_options(
            &challenge,
            (&handle, name, full_name),
            &existing,
            UserVerification::Preferred,
        );
        Ok(View::EnrolPasskey(EnrolPasskeyView {
            form: underway.form(self),
            client,
            person: person_view(&person),
            passkey: PasskeyQuestion {
                options: options.to_json(),
            },
            fault,
        }))
    }

    fn totp_page(
        &self,
        underway: &Underway,
        client: Option<ClientView>,
        fault: Option<Fault>,
        person: &Person,
    ) -> Step<View> {
        let secret = self.open_totp(person.user.id(), self.enrolling_state(underway)?)?;
        let uri = secret.uri(&self.realm.config.service_name, person.user.name().as_str());
        let qr = QrCode::of(&uri).map_err(|_long| BackendError::Factor("a QR code can't be drawn"))?;
        Ok(View::EnrolTotp(EnrolTotpView {
            form: underway.form(self),
            client,
            person: person_view(person),
            uri: Secret::from(uri.as_str()),
            qr: (qr.side(), Secret::from(qr.path())),
            secret: Secret::from(secret.expose().as_str()),
            fault,
        }))
    }

    fn enrolling_state<'a>(&self, underway: &'a Underway) -> Step<&'a Kept> {
        let enrolling = underway.interaction.login.enrolling();
        enrolling
            .map(Enrolling::state)
            .ok_or_else(|| self.stop(crate::people::view::PageErrorKind::Expired))
    }

    /// The app counts from its first right code on, which is spent with it.
    async fn confirm_totp(
        &self,
        underway: &mut Underway,
        person: &Person,
        form: &Form,
    ) -> Step<Result<(), Refused>> {
        let user = person.user.id();
        let Ok(code) = TotpCode::parse(form.get("code").unwrap_or_default()) else {
            return Ok(Err(Fault::WrongCode.into()));
        };
        if let Err(refused) = self.count_code(underway, user).await? {
            return Ok(Err(refused));
        }
        let sealed = self.enrolling_state(underway)?.clone();
        let secret = self.open_totp(user, &sealed)?;
        let Some(step) = secret.verify(&code, self.now, None) else {
            return Ok(Err(Fault::WrongCode.into()));
        };
        let key = ThrottleKey::code(self.domain(), user);
        self.people.throttles.settle_guess(&key, Judged::Right).await?;
        let totp = TotpFactor::new(sealed, TotpStep::get(step), self.now);
        let factors = self.factors_or_none(user).await?.with_totp(totp);
        if self.people.factors.replace_factors(&factors).await? == Swap::Conflict {
            return Ok(Err(Fault::WrongCode.into()));
        }
        let enrolled = underway
            .interaction
            .login
            .enrolled(FactorKind::Totp, &[AuthMethod::OneTimeCode]);
        Ok(enrolled.map_err(Refused::from))
    }

    async fn confirm_passkey(
        &self,
        underway: &mut Underway,
        person: &Person,
        form: &Form,
    ) -> Step<Result<(), Refused>> {
        let user = person.user.id();
        let challenge: Challenge = factors::read(self.enrolling_state(underway)?)?;
        let handle = UserHandle::of(self.domain().as_str(), user.as_str());
        let Ok(response) = RegistrationResponse::parse(form.get("credential").unwrap_or_default()) else {
            return Ok(Err(Fault::WrongPasskey.into()));
        };
        let party = self.relying_party()?;
        let registered = party.register(&challenge, &handle, UserVerification::Preferred, &response);
        let passkey = match registered {
            Ok(passkey) => passkey,
            Err(fault) => {
                tracing::info!(fault = fault.as_str(), "a passkey was not registered");
                return Ok(Err(Fault::WrongPasskey.into()));
            }
        };
        let name = form.get("name").unwrap_or_default();
        let factor = PasskeyFactor::new(&passkey.id().to_text(), name, Kept::of(&passkey)?, self.now);
        let Ok(factors) = self.factors_or_none(user).await?.with_passkey(factor) else {
            return Ok(Err(Fault::WrongPasskey.into()));
        };
        if self.people.factors.replace_factors(&factors).await? == Swap::Conflict {
            return Ok(Err(Fault::WrongPasskey.into()));
        }
        let methods = passkey::methods(&passkey, passkey.can_verify_user());
        let enrolled = underway.interaction.login.enrolled(FactorKind::Passkey, &methods);
        Ok(enrolled.map_err(Refused::from))
    }

    /// Whoever sets up the first factor gets recovery codes with it.
    async fn first_recovery_codes(&self, underway: &Underway, person: &Person) -> Step<Option<View>> {
        if !self.realm.config.policy.allows(FactorKind::Recovery) {
            return Ok(None);
        }
        let factors = self.factors_or_none(person.user.id()).await?;
        if factors.recovery().is_some() {
            return Ok(None);
        }
        self.new_recovery_codes(underway, person, &factors).await
    }

    /// New recovery codes in place of any before; `None`: another request was faster.
    pub(crate) async fn new_recovery_codes(
        &self,
        underway: &Underway,
        person: &Person,
        factors: &UserFactors,
    ) -> Step<Option<View>> {
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        for _code in 0..RECOVERY_CODES {
            codes.push(RecoveryCode::from_octets(self.random()?));
        }
        let kept = Kept::of(&RecoveryCodes::of(&codes))?;
        let with_codes = factors.with_recovery(kept);
        if self.people.factors.replace_factors(&with_codes).await? == Swap::Conflict {
            return Ok(None);
        }
        Ok(Some(View::RecoveryCodes(RecoveryCodesView {
            form: underway.form(self),
            person: person_view(person),
            codes: codes
                .iter()
                .map(|code| Secret::from(code.expose().as_str()))
                .collect(),
        })))
    }
}
