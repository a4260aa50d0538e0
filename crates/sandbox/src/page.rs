//! What all hosted pages look like. No scripts; everything from outside is escaped by maud.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
:root{--ink:#1c2333;--soft:#667085;--line:#e4e7ec;--brand:#4457ff;--bad:#b42318}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:#f2f4f9}
main{max-width:460px;margin:40px auto;background:#fff;border:1px solid var(--line);border-radius:16px;padding:28px 32px;
box-shadow:0 12px 32px rgba(16,24,40,.08)}
.tag{display:inline-block;background:#fff4d6;color:#7a4b00;border-radius:99px;padding:2px 12px;font-size:13px}
h1{font-size:22px;margin:14px 0 4px}p.sub{margin:0 0 20px;color:var(--soft)}
a.channel{display:flex;justify-content:space-between;padding:14px 16px;border:1px solid var(--line);border-radius:12px;
margin:10px 0;color:inherit;text-decoration:none}a.channel:hover,a.channel:focus{border-color:var(--brand)}
a.channel span{color:var(--soft);font-size:14px}label{display:block;font-size:14px;margin:14px 0 4px}
input{width:100%;font:inherit;padding:11px 12px;border:1px solid #cfd4dd;border-radius:10px}
input:focus{outline:2px solid var(--brand);outline-offset:0}.row{display:flex;gap:12px}.row>div{flex:1}
button{font:inherit;font-weight:600;width:100%;padding:12px;border-radius:10px;border:0;cursor:pointer;margin-top:18px}
.primary{background:var(--brand);color:#fff}.danger{background:#fee4e2;color:var(--bad)}
.link{background:none;color:var(--soft);font-weight:400;margin-top:8px;text-decoration:underline}
.error{background:#fef3f2;color:var(--bad);border-radius:10px;padding:10px 14px;margin:0 0 8px}
details{margin-top:20px;color:var(--soft);font-size:14px}code{font-size:13px}table{border-spacing:0 2px}td{padding-right:14px}";

/// A page around `body`.
pub(crate) fn page(status: StatusCode, title: &str, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { span.tag { "Sandbox — no real money" } (body) } }
        }
    };
    let headers = [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ];
    (status, headers, Html(markup.into_string())).into_response()
}
