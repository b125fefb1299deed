//! What one may ask for.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Puts load on a Sealstone deployment of your own and says what it bore.
///
/// Each connection asks, waits for the answer, and asks again, for as long as you say. With --rate the requests have their
/// times instead, whatever the answers take: then latency counts from the time that a request was due, so that a server
/// that stalls shows it.
#[derive(Debug, Parser)]
#[command(name = "load-driver", after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The issuer, as clients know it, up to and with `/v4/oauth2/DOMAIN`. Its metadata name the endpoints
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: String,
    /// The authorities that the server's certificate is trusted by, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// The client that asks. Make one for it: `sealstone client create load --domain DOMAIN --scope SCOPE`
    #[arg(long, value_name = "ID")]
    pub(crate) client: String,
    /// A file with the client's secret, sent by HTTP Basic
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "certificate",
        conflicts_with = "certificate"
    )]
    pub(crate) secret_file: Option<PathBuf>,
    /// The client's certificate and its chain, PEM: it authenticates by mutual TLS, and its tokens are bound
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// What to ask for, again and again
    #[arg(long, value_enum, default_value_t = Flow::ClientCredentials)]
    pub(crate) flow: Flow,
    /// The scope to ask for
    #[arg(long, default_value = "")]
    pub(crate) scope: String,
    /// For --flow refresh-token: refresh tokens, one a line, at least one for each connection. They are used up; the last
    /// ones are written back
    #[arg(long, value_name = "FILE", required_if_eq("flow", "refresh-token"))]
    pub(crate) refresh_tokens: Option<PathBuf>,
    /// Connections at once
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) connections: NonZeroU16,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) duration_s: u32,
    /// Requests a second, all connections together; as fast as answers come if not given
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<NonZeroU32>,
    /// Makes a new connection for each request, with a whole TLS handshake: what clients without keep-alive cost
    #[arg(long)]
    pub(crate) reconnect: bool,
    /// Where to connect instead of the issuer's own address; more than once for several nodes, which take turns. The
    /// certificate must still be for the issuer's name
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: Vec<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flow {
    /// Tokens for the client itself: reads and writes no database once it is warm
    ClientCredentials,
    /// The next token of each family: one durable write a request
    RefreshToken,
    /// A token, and then what the server says of it, again and again
    Introspection,
    /// A token, and its end: two requests, and one durable write
    Revocation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  What `sealstoned dev` bears, by a secret (its data folder has the files):
    load-driver --issuer https://localhost:8443/v4/oauth2/demo --ca sealstone-dev/ca/ca.pem \\
      --client machine-secret --secret-file secret.txt --scope demo:read

  The same by mutual TLS, 500 requests a second for a minute, over 50 connections:
    load-driver ... --client machine --certificate machine.pem --key machine.key \\
      --connections 50 --rate 500 --duration-s 60

  Two nodes without their load balancer:
    load-driver ... --connect node1.example.org:443 --connect node2.example.org:443

  What a handshake costs: divide the server's CPU time by the requests
    load-driver ... --reconnect

How to read the result:
  p50, p99: half of the requests, 99 of 100, were answered within this time. Look at p99 and p99.9:
  users meet them.
  invalid_client and the like: the RFC's error codes, counted. `temporarily_unavailable` and 429
  mean that the server sheds load, as it should; a 5xx without a code, or `broken`, that something
  between you and it does not hold.
  With limits by address in force, all connections of this program count as one address:
  limits.insecure_unlimited_networks lifts them for a test. A single client is limited too:
  limits.requests_per_s_per_client.

Exit status: 0 every request got what it asked for, 1 some did not or nothing could be asked, 2
wrong usage.
Only ask deployments that are yours: this is load, not a look.";
