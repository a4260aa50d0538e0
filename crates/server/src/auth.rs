//! Who is calling.

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use billfold_core::name::TenantId;
use billfold_core::{Error, ErrorKind};

use crate::App;
use crate::problem::Problem;

/// The tenant that a request acts for. Comes from an API key, or is put into the request by the
/// process itself; a client cannot send one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal(pub TenantId);

/// Lets a request through once it is known whose it is.
pub(crate) async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if request.extensions().get::<Principal>().is_none() {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let presented = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let tenant = app.billfold.authenticate(presented).await.map_err(one_answer)?;
        request.extensions_mut().insert(Principal(tenant));
    }
    Ok(next.run(request).await)
}

/// Whatever was wrong with the key, the answer is the same, and says how to send one.
fn one_answer(error: Error) -> Error {
    if error.kind() != ErrorKind::Unauthenticated {
        return error;
    }
    let message = "the API key is missing, wrong or revoked; expected Authorization: Bearer bf_…";
    Error::new(ErrorKind::Unauthenticated, message)
}
