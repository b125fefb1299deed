use super::AuthorizationDenial;
use sealstone_login::Acr;
use sealstone_oauth_types::{Acr as AcrText, ClaimsRequest};
use sealstone_registry::Client;

/// How sure a login must, and should, be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AcrDemand {
    pub(super) required: Option<Acr>,
    pub(super) wished: Option<Acr>,
}

/// What is demanded: the client's minimum, and an essential claim, of whose values the least will do. What is wished:
/// the least of `acr_values`, or of the client's own; names that are not ours are passed over.
pub(super) fn decide(
    client: &Client,
    acr_values: &[AcrText],
    claims: Option<&ClaimsRequest>,
) -> Result<AcrDemand, AuthorizationDenial> {
    let required = [minimum(client)?, essential(claims)?].into_iter().flatten().max();
    let asked = if acr_values.is_empty() {
        client.default_acr_values()
    } else {
        acr_values
    };
    Ok(AcrDemand {
        required,
        wished: least(asked),
    })
}

fn minimum(client: &Client) -> Result<Option<Acr>, AuthorizationDenial> {
    let minimum = client.minimum_acr().map(|text| Acr::parse(text.as_str()));
    minimum
        .map(|minimum| minimum.ok_or(AuthorizationDenial::AcrUnmet))
        .transpose()
}

fn essential(claims: Option<&ClaimsRequest>) -> Result<Option<Acr>, AuthorizationDenial> {
    let values = claims.and_then(ClaimsRequest::essential_acr);
    values
        .map(|values| least(&values).ok_or(AuthorizationDenial::AcrUnmet))
        .transpose()
}

fn least(values: &[AcrText]) -> Option<Acr> {
    values.iter().filter_map(|text| Acr::parse(text.as_str())).min()
}
