//! The control API of charges.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SandboxControl, control, done};
use crate::charging::{ChargePlay, Charging};
use crate::server::World;

impl SandboxControl {
    fn charging(&self) -> Option<&'static dyn Charging> {
        self.world.gateway().charging()
    }

    /// Every charge, oldest first, with what was taken and given back.
    pub fn charges(&self) -> Vec<Value> {
        let charges = |charging: &dyn Charging| self.world.with(|state, _| charging.charges(state));
        self.charging().map(charges).unwrap_or_default()
    }

    /// Says how charges of a token end from now on; `false` when there is no such token.
    pub fn play_charges(&self, token: &str, play: ChargePlay) -> bool {
        let play = |charging: &dyn Charging| self.world.with(|state, _| charging.play(state, token, play));
        self.charging().is_some_and(play)
    }

    /// The customer passes or fails the step that a charge waits for; says where the browser is sent, `None` when
    /// no such charge waits.
    pub fn act_on_charge(&self, charge: &str, passes: bool) -> Option<String> {
        self.charging()?.act(&self.world, charge, passes)
    }

    /// A charge that is under way ends well, or is refused; so does what was asked for to change it. `false` when
    /// nothing is under way.
    pub fn finish_charge(&self, charge: &str, well: bool) -> bool {
        self.charging().is_some_and(|charging| charging.finish(&self.world, charge, well))
    }

    /// What had succeeded is taken back, in one of the gateway's ways or its usual one. `false` when it had not.
    pub fn take_back_charge(&self, charge: &str, how: Option<&str>) -> bool {
        self.charging().is_some_and(|charging| charging.take_back(&self.world, charge, how))
    }

    /// Refunds that are under way end well.
    pub fn finish_refunds(&self) {
        if let Some(charging) = self.charging() {
            charging.finish_refunds(&self.world);
        }
    }
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_sandbox/charges", get(charges))
        .route("/_sandbox/charges/{id}/act", post(act))
        .route("/_sandbox/charges/{id}/finish", post(finish))
        .route("/_sandbox/charges/{id}/take-back", post(take_back))
        .route("/_sandbox/refunds/finish", post(finish_refunds))
        .route("/_sandbox/tokens/{id}/charges", post(play))
}

async fn charges(State(world): State<Arc<World>>) -> Response {
    Json(control(world).charges()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    passes: bool,
}

async fn act(State(world): State<Arc<World>>, Path(id): Path<String>, Json(act): Json<Act>) -> Response {
    match control(world).act_on_charge(&id, act.passes) {
        Some(address) => Json(json!({"address": address})).into_response(),
        None => done(false),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    well: bool,
}

async fn finish(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Json(finish): Json<Finish>,
) -> Response {
    done(control(world).finish_charge(&id, finish.well))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TakeBack {
    #[serde(default)]
    how: Option<String>,
}

async fn take_back(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Json(take_back): Json<TakeBack>,
) -> Response {
    done(control(world).take_back_charge(&id, take_back.how.as_deref()))
}

async fn finish_refunds(State(world): State<Arc<World>>) -> Response {
    control(world).finish_refunds();
    done(true)
}

async fn play(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Json(play): Json<ChargePlay>,
) -> Response {
    done(control(world).play_charges(&id, play))
}
