//! One request, one answer, one judgement.

use std::error::Error as _;
use std::io;
use std::pin::pin;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Expected, HttpError};
use crate::checks::finding::Finding;

/// How much of a body is read, in bytes: 1 MiB.
const BODY_LIMIT: usize = 1 << 20;

/// Sends `request` over `stream` and holds the answer against `expected`. The caller bounds the time.
pub(super) async fn judge<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    expected: &Expected,
) -> Result<Finding, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(describe)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(describe)?;
        expected.judge(response).await
    });
    // The connection carries the bytes and has to be driven beside the exchange. How it ends says nothing of its own:
    // the exchange sees every error that matters to it.
    tokio::select! {
        judged = &mut answer => return judged,
        _ = &mut connection => {}
    }
    answer.await
}

impl Expected {
    async fn judge(&self, response: Response<Incoming>) -> Result<Finding, HttpError> {
        let status = response.status().as_u16();
        if !self.status_codes.iter().any(|codes| codes.contains(status)) {
            let expected: Vec<String> = self.status_codes.iter().map(ToString::to_string).collect();
            return Ok(Finding::failed(format!("HTTP {status}, expected {}", expected.join(", "))));
        }
        let Some(expression) = &self.body else {
            return Ok(Finding::passed(format!("HTTP {status}")));
        };
        if expression.is_match(&read(response.into_body()).await?) {
            Ok(Finding::passed(format!("HTTP {status}, the body matches")))
        } else {
            Ok(Finding::failed(format!("HTTP {status}, but the body does not match {:?}", expression.as_str())))
        }
    }
}

/// The body, cut off at [`BODY_LIMIT`].
async fn read(mut body: Incoming) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    while bytes.len() < BODY_LIMIT {
        let Some(frame) = body.frame().await else { break };
        if let Some(data) = frame.map_err(describe)?.data_ref() {
            let room = BODY_LIMIT - bytes.len();
            bytes.extend_from_slice(data.get(..room).unwrap_or(data));
        }
    }
    Ok(bytes)
}

fn describe(error: hyper::Error) -> HttpError {
    if error.is_incomplete_message() {
        return HttpError::Incomplete;
    }
    if error.is_parse() {
        return HttpError::NotHttp(error);
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(source) if source.kind() == io::ErrorKind::UnexpectedEof => HttpError::Incomplete,
        Some(source) => HttpError::Broken(io::Error::new(source.kind(), source.to_string())),
        None => HttpError::Exchange(error),
    }
}
