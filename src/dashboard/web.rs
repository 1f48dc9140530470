//! From requests to pages: session, CSRF check, and the headers of every response.

use super::auth::{NotIn, Right, Session};
use super::shell::{SignIn, Viewer};
use super::{Dashboard, actions, events, pages};
use crate::printable;
use crate::serve::{self, App};
use askama::Template;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::routing::any;
use std::collections::HashMap;
use std::sync::Arc;

/// Longest body of a form.
const MAX_FORM: usize = 64 * 1024;
/// Longest form kept during sign-in: it is sent back as a field, in which a character may take three bytes.
const MAX_KEPT: usize = 16 * 1024;
/// The cookie of a session.
const SESSION: &str = "mlloop_session";
/// Allows only content from this server: no inline styles or scripts, no embedding in frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The fields of a form or of an address.
#[derive(Default)]
pub(super) struct Fields(HashMap<String, String>);

impl Fields {
    pub(super) fn of(encoded: &str) -> Option<Self> {
        let uri = Uri::builder().path_and_query(format!("/?{encoded}")).build().ok()?;
        Some(Self(Query::<HashMap<String, String>>::try_from_uri(&uri).ok()?.0))
    }

    /// A field; empty if missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).parse().ok()
    }

    /// The same fields, plus this one if it is missing.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut fields = self.0.clone();
        fields.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        Self(fields)
    }

    /// The same fields, with this one replaced.
    pub(super) fn but(&self, name: &str, value: &str) -> Self {
        let mut fields = self.0.clone();
        fields.insert(name.to_owned(), value.to_owned());
        Self(fields)
    }

    /// Whether a field is present, even if empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// The page of this server to show after a form; the overview for any other address.
pub(super) fn own_page(address: &str) -> &str {
    let is_ours = address == "/ui" || address.starts_with("/ui/") || address.starts_with("/ui?");
    let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours && is_plain && !address.starts_with("/ui/sign-") && !address.starts_with("/ui/do/") {
        address
    } else {
        "/ui"
    }
}

/// The result of a page or an action.
pub(super) enum Answer {
    Page(StatusCode, String),
    /// A redirect to another page.
    Go(String),
    /// A file: its name, its type, its bytes.
    File(String, &'static str, Vec<u8>),
}

/// Why there is no page.
pub(super) enum Oops {
    /// The page, row or version does not exist.
    NotFound(String),
    /// The user lacks the right, or the form is not from this server.
    Forbidden(String),
    /// An invalid field.
    Bad(String),
    /// An unreadable file.
    Fault(String),
}

impl<E: std::error::Error> From<E> for Oops {
    fn from(err: E) -> Self {
        Self::Fault(err.to_string())
    }
}

impl Dashboard {
    /// Puts the pages in front of the server: they are at `/ui`, and browsers are redirected there from `/`. The server
    /// handles all other requests; its check of the Host header applies to the pages as well.
    pub fn over(self: &Arc<Self>, server: &Arc<App>) -> Router {
        let pages = any(handle).with_state((Arc::clone(self), Arc::clone(server)));
        let api = serve::app(Arc::clone(server)).layer(from_fn(greet));
        Router::new().route("/ui", pages.clone()).route("/ui/{*page}", pages).merge(api)
    }

    fn session(&self, headers: &HeaderMap) -> Option<(String, Session)> {
        let cookie = cookie(headers)?;
        Some((cookie.to_owned(), self.sessions.of(cookie, self.now())?))
    }
}

/// The session cookie, whether or not the session has ended.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == SESSION).map(|(_, cookie)| cookie)
}

/// The message for a request without a session, depending on whether there was one.
fn sign_in_first(headers: &HeaderMap) -> &'static str {
    match cookie(headers).is_some_and(|cookie| !cookie.is_empty()) {
        true => "Your session has ended: 12 hours have passed, or the server was restarted with another token.",
        false => "",
    }
}

/// Redirects browsers from `/` to the pages.
async fn greet(request: Request, next: Next) -> Response<Body> {
    let accepts = |headers: &HeaderMap| {
        headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
    };
    if request.uri().path() == "/" && request.method() == Method::GET && accepts(request.headers()) {
        return dressed(Answer::Go("/ui".to_owned()), None);
    }
    next.run(request).await
}

async fn handle(State((dashboard, server)): State<(Arc<Dashboard>, Arc<App>)>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Some(refused) = server.refusal(&parts) {
        return refused;
    }
    if parts.method == Method::GET {
        match parts.uri.path() {
            "/ui/style.css" => return asset("text/css; charset=utf-8", &[REPORT_STYLE, STYLE]),
            "/ui/icon.svg" => return asset("image/svg+xml", &[ICON]),
            "/ui/page.js" => return asset("text/javascript; charset=utf-8", &[SCRIPT]),
            _ => {}
        }
    }
    dashboard.looked.now();
    let signed_in = dashboard.session(&parts.headers);
    let may_look = dashboard.settings.open || signed_in.is_some();
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/ui/events") if may_look => events::stream(dashboard),
        (&Method::GET | &Method::HEAD, path) if may_look || path == "/ui/sign-in" => {
            let session = signed_in.map(|(_, session)| session);
            let answer = on_page(dashboard, move |dashboard| {
                let viewer = Viewer::new(session, parts.uri.path_and_query().map_or("/ui", |address| address.as_str()));
                let fields = Fields::of(parts.uri.query().unwrap_or_default());
                let fields = fields.ok_or_else(|| Oops::Bad("the address is invalid".to_owned()));
                fields
                    .and_then(|fields| pages::page(dashboard, &viewer, parts.uri.path(), &fields))
                    .unwrap_or_else(|oops| pages::trouble(dashboard, &viewer, &oops))
            });
            dressed(answer.await, None)
        }
        (&Method::GET | &Method::HEAD, _) => {
            let next = parts.uri.path_and_query().map_or("/ui", |address| own_page(address.as_str()));
            let said = sign_in_first(&parts.headers);
            let page = SignIn { said: said.to_owned(), next: next.to_owned(), ..sign_in_page(&dashboard) };
            dressed(page.answer(StatusCode::UNAUTHORIZED), None)
        }
        (&Method::POST, path) => {
            let path = path.to_owned();
            post(dashboard, &path, signed_in, sign_in_first(&parts.headers), body).await
        }
        _ => dressed(pages::problem(&Oops::Bad("this page supports only GET and POST".to_owned())), None),
    }
}

/// Handles a form: it must come from one of our pages, by a user with the right.
async fn post(
    dashboard: Arc<Dashboard>,
    path: &str,
    signed_in: Option<(String, Session)>,
    ended: &str,
    body: Body,
) -> Response<Body> {
    let body = to_bytes(body, MAX_FORM).await.ok();
    let text = body.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let Some((text, fields)) = text.and_then(|text| Some((text, Fields::of(text)?))) else {
        return dressed(pages::problem(&Oops::Bad("the form is too long or invalid".to_owned())), None);
    };
    if path == "/ui/sign-in" {
        return sign_in(dashboard, fields).await;
    }
    let Some((cookie, session)) = signed_in else {
        let kept = Some((path.to_owned(), text.to_owned()));
        let kept = kept.filter(|(path, text)| actions::right(path).is_some() && text.len() <= MAX_KEPT);
        let what = if kept.is_some() { " What you typed is kept." } else { "" };
        let said = format!("{} Sign in first.{what}", ended).trim_start().to_owned();
        let page = SignIn { said, kept, ..sign_in_page(&dashboard) };
        return dressed(page.answer(StatusCode::UNAUTHORIZED), None);
    };
    if !session.made(fields.get("csrf")) {
        let why = "the form belongs to another session; go back, reload the page and repeat";
        return dressed(pages::problem(&Oops::Forbidden(why.to_owned())), None);
    }
    if path == "/ui/sign-out" {
        let header = cookie_header(&dashboard, "", 0);
        let left = on_page(dashboard, move |dashboard| {
            dashboard.sessions.sign_out(&cookie);
            Answer::Go("/ui".to_owned())
        });
        return dressed(left.await, Some(header));
    }
    let path = path.to_owned();
    let answer = on_page(dashboard, move |dashboard| {
        let mut viewer = Viewer::new(Some(session.clone()), "/ui");
        match allowed(&session, &path).and_then(|()| actions::act(dashboard, &session, &path, &fields)) {
            Ok(answer) => answer,
            // Show the form again with its values.
            Err(Oops::Bad(what)) if actions::home(&path, &fields).is_some() => {
                viewer.alert = Some(what);
                pages::again(dashboard, &viewer, StatusCode::BAD_REQUEST, &path, &fields)
            }
            Err(oops) => pages::trouble(dashboard, &viewer, &oops),
        }
    });
    dressed(answer.await, None)
}

/// Whether the user may send the form at `path`.
fn allowed(session: &Session, path: &str) -> Result<(), Oops> {
    let need = actions::right(path).ok_or_else(|| Oops::NotFound("there is no such form".to_owned()))?;
    match session.right < need {
        true => {
            let (has, needs) = (session.right.a_role(), need.a_role());
            Err(Oops::Forbidden(format!("{} has the role {has}; this needs {needs}", session.name)))
        }
        false => Ok(()),
    }
}

/// Renders a page on a thread that may block on reading files.
async fn on_page(dashboard: Arc<Dashboard>, make: impl FnOnce(&Dashboard) -> Answer + Send + 'static) -> Answer {
    let shared = Arc::clone(&dashboard);
    let Ok(_turn) = shared.pages.acquire().await else { return pages::problem(&Oops::Fault("closing".to_owned())) };
    let made = tokio::task::spawn_blocking(move || make(&dashboard)).await;
    made.unwrap_or_else(|err| pages::problem(&Oops::Fault(err.to_string())))
}

async fn sign_in(dashboard: Arc<Dashboard>, fields: Fields) -> Response<Body> {
    let shared = Arc::clone(&dashboard);
    let (name, token) = (fields.get("name").to_owned(), fields.get("token").to_owned());
    // Signing in stores the session.
    let opened = tokio::task::spawn_blocking(move || shared.sessions.sign_in(&name, &token, shared.now())).await;
    let said = match opened {
        Ok(Ok(cookie)) => {
            let header = cookie_header(&dashboard, &cookie, 12 * 3600);
            let page = on_page(dashboard, move |dashboard| entered(dashboard, &cookie, &fields));
            return dressed(page.await, Some(header));
        }
        Ok(Err(NotIn::NameTaken)) => (StatusCode::BAD_REQUEST, "This name has its own token: sign in with that token."),
        Ok(Err(NotIn::WrongToken)) => (StatusCode::UNAUTHORIZED, "Wrong token."),
        Ok(Err(NotIn::NoName)) => (StatusCode::BAD_REQUEST, "Enter your name: it is recorded in the audit chain."),
        Ok(Err(NotIn::TooMany)) => (StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens; try again in a minute."),
        Err(err) => return dressed(pages::problem(&Oops::Fault(err.to_string())), None),
    };
    let page = SignIn {
        said: said.1.to_owned(),
        name: fields.get("name").chars().take(80).collect(),
        next: own_page(fields.get("next")).to_owned(),
        kept: kept_form(&fields),
        ..sign_in_page(&dashboard)
    };
    dressed(page.answer(said.0), None)
}

/// A form that was sent without a session: its path and its fields.
fn kept_form(fields: &Fields) -> Option<(String, String)> {
    let kept = [fields.get("kept_path"), fields.get("kept")].map(str::to_owned).into();
    Some(kept).filter(|(path, _)| actions::right(path).is_some())
}

/// The page after signing in: the form kept, to be submitted by the user, or else the requested page.
fn entered(dashboard: &Dashboard, cookie: &str, fields: &Fields) -> Answer {
    let kept = kept_form(fields).and_then(|(path, text)| Some((path, Fields::of(&text)?)));
    match (kept, dashboard.sessions.of(cookie, dashboard.now())) {
        (Some((path, fields)), Some(session)) => {
            let mut viewer = Viewer::new(Some(session), "/ui");
            viewer.alert =
                Some("You are signed in. Nothing was sent yet: check the form, and send it again.".to_owned());
            pages::again(dashboard, &viewer, StatusCode::OK, &path, &fields)
        }
        _ => Answer::Go(own_page(fields.get("next")).to_owned()),
    }
}

/// The sign-in page, without errors.
pub(super) fn sign_in_page(dashboard: &Dashboard) -> SignIn {
    SignIn {
        said: String::new(),
        can_sign_in: dashboard.sessions.can_sign_in(),
        name: String::new(),
        next: "/ui".to_owned(),
        named: dashboard.sessions.has_named(),
        kept: None,
    }
}

impl SignIn {
    pub(super) fn answer(&self, status: StatusCode) -> Answer {
        Answer::Page(status, self.render().unwrap_or_default())
    }
}

fn cookie_header(dashboard: &Dashboard, value: &str, seconds: u32) -> String {
    let secure = if dashboard.settings.secure { "; Secure" } else { "" };
    format!("{SESSION}={value}; HttpOnly; SameSite=Strict; Path=/ui; Max-Age={seconds}{secure}")
}

const REPORT_STYLE: &str = include_str!("../report/templates/style.css");
const STYLE: &str = include_str!("templates/ui.css");
const ICON: &str = include_str!("templates/icon.svg");
const SCRIPT: &str = include_str!("templates/ui.js");

fn asset(kind: &'static str, parts: &[&str]) -> Response<Body> {
    let mut response = Response::new(Body::from(parts.concat()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The answer with the headers of every response.
fn dressed(answer: Answer, cookie: Option<String>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match answer {
        Answer::Page(status, text) => {
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            *response.body_mut() = Body::from(printable::page(text));
        }
        Answer::Go(to) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/ui"));
            response.headers_mut().insert(LOCATION, to);
        }
        Answer::File(name, kind, bytes) => {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            if let Ok(as_file) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                response.headers_mut().insert(CONTENT_DISPOSITION, as_file);
            }
            *response.body_mut() = Body::from(bytes);
        }
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

/// Whether a user has a right: pages hide forms that would be refused.
pub(super) fn may(session: Option<&Session>, right: Right) -> bool {
    session.is_some_and(|session| session.right >= right)
}
