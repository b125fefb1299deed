//! Gets a token bound to the certificate ci.pem, and calls a service with it over the same certificate:
//! `machine-client TOKEN_ENDPOINT SERVICE`, with ca.pem, ci.pem and ci.key in the current folder.
use bytes::Bytes;
use http::{Request, Response, header};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use sealstone_https::{HttpsClient, Limits, Settings, authorities};
use serde_json::Value;
use std::{env, error::Error, fs, time::Duration};

const LIMITS: Limits = Limits {
    deadline: Duration::from_secs(30),
    body: 1024 * 1024,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [token_endpoint, service] = arguments.as_slice() else {
        return Err("usage: machine-client TOKEN_ENDPOINT SERVICE".into());
    };
    let chain = CertificateDer::pem_file_iter("ci.pem")?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file("ci.key")?;
    let settings = Settings::presenting(authorities(&fs::read("ca.pem")?)?, chain, key)?;
    let client = HttpsClient::new(settings);

    let form = "grant_type=client_credentials&client_id=ci&scope=openstack:api";
    let request = Request::post(token_endpoint)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from_static(form.as_bytes()))?;
    let answer: Value = serde_json::from_slice(&body(client.exchange(request, LIMITS).await?)?)?;
    let token = answer.get("access_token").and_then(Value::as_str);
    let bearer = format!("Bearer {}", token.ok_or("an answer without a token")?);

    let request = Request::get(service)
        .header(header::AUTHORIZATION, bearer)
        .body(Bytes::new())?;
    let answer = body(client.exchange(request, LIMITS).await?)?;
    println!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// What was answered, if it was 200.
fn body(answer: Response<Bytes>) -> Result<Bytes, String> {
    let (head, body) = answer.into_parts();
    if head.status == 200 {
        return Ok(body);
    }
    Err(format!("{} {}", head.status, String::from_utf8_lossy(&body)))
}
