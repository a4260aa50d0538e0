//! Finding the gateway of a request, and saying why it is this one.

use crate::billfold::Billfold;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::gateway::Gateway;
use crate::name::{GatewayName, TenantId};
use crate::routing::{Candidate, Considered, Explanation, GatewayChoice, Reason, Wanted, choose};
use crate::use_cases::StartSession;

impl Billfold {
    /// Which gateway a request that names none would get, and why.
    pub fn explain_gateways(&self, tenant: &TenantId, wanted: &Wanted) -> Explanation {
        let candidates: Vec<_> = self
            .gateways(tenant)
            .map(|gateway| Candidate {
                name: &gateway.name,
                mode: gateway.mode,
                capabilities: gateway.capabilities(),
            })
            .collect();
        choose(wanted, &candidates, &self.rules(tenant))
    }

    /// The gateway that a request names, or one that is chosen, with the reasons.
    pub(super) fn choose_gateway(
        &self,
        tenant: &TenantId,
        request: &StartSession,
    ) -> Result<(&Gateway, Option<GatewayChoice>)> {
        if let Some(name) = &request.gateway {
            return Ok((self.named_gateway(tenant, name)?, None));
        }
        let explanation = self.explain_gateways(tenant, &wanted(request));
        let mut all = self.gateways(tenant);
        if let (Some(only), None) = (all.next(), all.next()) {
            // What it lacks is named with everything else that is wrong with the request.
            return Ok((only, Some(explanation.choice)));
        }
        if request.provider_options.is_some() {
            let message = "options are a gateway's own; name the `gateway` that they are for";
            return Err(Error::invalid("/provider_options", message));
        }
        let Explanation { gateway, choice, .. } = explanation;
        match gateway {
            Some(name) => Ok((self.named_gateway(tenant, &name)?, Some(choice))),
            None => Err(unserved(&choice)),
        }
    }

    fn named_gateway(&self, tenant: &TenantId, name: &GatewayName) -> Result<&Gateway> {
        self.gateways(tenant).find(|gateway| gateway.name == *name).ok_or_else(|| {
            let names: Vec<_> = self.gateways(tenant).map(|gateway| gateway.name.to_string()).collect();
            Error::invalid(
                "/gateway",
                format!("there is no gateway `{name}`; there are: {}", names.join(", ")),
            )
        })
    }
}

fn wanted(request: &StartSession) -> Wanted {
    Wanted {
        country: request.country,
        currency: request.currency,
        usage: request.usage,
        kinds: request.kinds.clone(),
        channels: request.channels.clone(),
        mode: request.mode,
    }
}

/// The codes of the channels that a session offers at a gateway; empty means all. Where kinds are wanted, those of
/// these kinds.
pub(super) fn offered(gateway: &Gateway, request: &StartSession) -> Vec<String> {
    if request.kinds.is_empty() {
        return request.channels.clone();
    }
    let usable = gateway.capabilities().channels_for(request.country, request.currency, request.usage);
    usable
        .filter(|channel| request.kinds.contains(&channel.kind))
        .map(|channel| channel.code.clone())
        .collect()
}

/// Why no gateway was chosen: of each, what it lacks.
fn unserved(choice: &GatewayChoice) -> Error {
    match choice.reason {
        Reason::NoGateway => Error::new(ErrorKind::Configuration, "no gateway is configured for this tenant"),
        Reason::ModeUndecided => {
            let message = "say `test` or `live`, or name the `gateway`: there are gateways of both modes, and no rule \
                           for this request";
            Error::invalid(Reason::ModeUndecided.pointer(), message)
        }
        _ => {
            let field = |gateway: &Considered| FieldError {
                pointer: gateway.reason.pointer().to_owned(),
                message: said(gateway),
            };
            let all: Vec<String> = choice.considered.iter().map(said).collect();
            let fields = choice.considered.iter().map(field).collect();
            Error::invalid_fields(fields)
                .with_message(format!("no gateway serves this request: {}", all.join("; ")))
        }
    }
}

fn said(gateway: &Considered) -> String {
    format!("`{}` {}", gateway.gateway, gateway.message)
}
