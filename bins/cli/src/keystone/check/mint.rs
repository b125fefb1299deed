//! `[keystone.mint]`: whether Keystone takes what we sign.

use std::{path::PathBuf, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_fernet::{AuditId, JwsAlgorithm, JwsTokenIssuer, KeystoneId, TokenSubject};
use sealstone_keystone::{
    EntropyFailed, KeystoneClient, KeystoneError, KeystoneRefusal, Outage, Token, TokenInfo, TokenMint,
};

use super::{Report, account::Account, endpoint::chain, report::Verdict};
use crate::{clock, failure::Outcome, openstack::ServerLogins, random};

/// As long as the check asks.
const LIFETIME: Duration = Duration::from_secs(60);

/// The key that signs.
pub(super) struct Minting {
    algorithm: JwsAlgorithm,
    path: PathBuf,
    issuer: JwsTokenIssuer,
}

pub(super) fn read(logins: &ServerLogins, report: &mut Report) -> Option<Minting> {
    let Some(path) = &logins.mint_key_file else {
        report.right(
            "mint key",
            "none: clients that have no secret in Keystone can't be served",
        );
        return None;
    };
    let name = logins.mint_algorithm.as_deref().unwrap_or("ES256");
    let read = JwsAlgorithm::parse(name)
        .map_err(|error| chain(&error))
        .and_then(|algorithm| {
            let issuer = JwsTokenIssuer::from_file(algorithm, path).map_err(|error| chain(&error))?;
            Ok(Minting {
                algorithm,
                path: path.clone(),
                issuer,
            })
        });
    match read {
        Ok(minting) => {
            report.right("mint key", format!("{name}, {}", path.display()));
            Some(minting)
        }
        Err(found) => {
            let subject = path.display().to_string();
            let advice =
                "a private key (PKCS#8, PEM), of that algorithm, readable by the server alone (mode 0600)";
            report.wrong_in("mint key", &subject, found, advice);
            None
        }
    }
}

impl Minting {
    /// A token of the service account's own application credential: it may do less than the account itself.
    pub(super) fn token_of(&self, account: &Account) -> Outcome<(Token, String)> {
        let subject = TokenSubject::application_credential(
            KeystoneId::parse(account.credential.as_str())?,
            KeystoneId::parse(account.user_id.as_str())?,
            KeystoneId::parse(account.project_id.as_str())?,
        );
        let now = clock::now();
        let end = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_add(LIFETIME));
        let minted = self
            .issuer
            .mint(&subject, AuditId::new(random::octets()?), now, end)?;
        Ok((
            Token::parse(minted.expose())?,
            account.user_id.as_str().to_owned(),
        ))
    }

    /// The same key, for an identity source.
    pub(super) fn mint(&self) -> Outcome<TokenMint> {
        let issuer = JwsTokenIssuer::from_file(self.algorithm, &self.path)?;
        Ok(TokenMint::new(issuer, LIFETIME, |octets| {
            *octets = random::octets().map_err(|_none| EntropyFailed)?;
            Ok(())
        }))
    }
}

/// What a node says to a token that we made.
pub(super) fn judge(
    node: &KeystoneClient,
    answer: Result<TokenInfo, KeystoneError>,
    user_id: &str,
    report: &mut Report,
) {
    let (check, url) = ("minted token", Some(node.url()));
    let error = match answer {
        Ok(info) if info.user.id.as_str() == user_id => {
            return report.add(Verdict::Right, check, url, "this node takes it", "");
        }
        Ok(_) => {
            let found = "this node takes it for another user's";
            return report.add(
                Verdict::Wrong,
                check,
                url,
                found,
                "see Keystone's log, and tell its maintainers",
            );
        }
        Err(error) => error,
    };
    let advice = match &error {
        KeystoneError::Refused {
            refusal: KeystoneRefusal::Unauthenticated | KeystoneRefusal::NotFound,
            ..
        } => {
            "put our public key into `[jwt_tokens] jws_public_key_repository` of this node, with `provider = jws` and \
             its algorithm in `jws_accepted_algorithms`"
        }
        KeystoneError::Unavailable {
            outage: Outage::Status(_),
            ..
        } => {
            "look into its `jws_public_key_repository`: one file there that is no public key in PEM stops every \
             validation"
        }
        KeystoneError::Unavailable { .. } => {
            "set its clock: a Keystone that is behind breaks the connection off without an answer"
        }
        KeystoneError::Refused { .. } | KeystoneError::Malformed { .. } | _ => "see Keystone's log",
    };
    report.add(Verdict::Wrong, check, url, chain(&error), advice);
}
