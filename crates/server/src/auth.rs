//! Who is calling, and whether they may.

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use billfold_core::scope::Scope;
use billfold_core::{Error, ErrorKind, Principal};

use crate::App;
use crate::problem::Problem;

/// Lets a request through once it is known whose it is, and that they may do this. The [`Principal`]
/// comes from an API key, or is put into the request by the process itself; a client cannot send one.
pub(crate) async fn authenticate(
    State((app, scope)): State<(App, Scope)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let principal = if let Some(principal) = request.extensions().get::<Principal>() {
        principal.clone()
    } else {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let presented = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        app.billfold.authenticate(presented).await.map_err(one_answer)?
    };
    if !principal.scopes.allows(scope) {
        let message = format!("this needs an API key with the scope `{}`", scope.as_str());
        return Err(Error::new(ErrorKind::Forbidden, message).into());
    }
    request.extensions_mut().insert(principal);
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
