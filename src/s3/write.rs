//! Writes one object: in one request or, if it is large, in parts that a last request combines.
//!
//! ```text
//! begin ─▶ part 1, part 2, … each retried separately ────▶ complete: the object is the new one
//!             └──────── any of it fails ────────────────▶ abort: no part is left, the object is unchanged
//! ```

use super::object::Object;
use super::transfer::{Condition, S3Error, Why, inside, persist, unreachable};
use rusty_s3::actions::{AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, PutObject, UploadPart};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use ureq::http::Response;
use ureq::{Body, SendBody};

/// Size of a part; a file up to this size is sent in one request.
const PART_BYTES: u64 = 64 << 20;
/// Maximum number of parts of an object.
const MOST_PARTS: u64 = 10_000;
/// Maximum size of an object in the protocol.
const MAX_OBJECT_BYTES: u64 = 5 << 40;
/// Maximum number of bytes read of a response.
const ANSWER: u64 = 64 << 10;

impl Object {
    /// Writes the whole of `file`: the object is then the new one, or unchanged.
    ///
    /// # Errors
    /// [`Why::Changed`] if the condition does not hold, and if the server refuses.
    pub fn put(&self, file: &mut File, condition: Condition) -> Result<(), S3Error> {
        let length = file.metadata().map_err(|err| self.failed(err.to_string()))?.len();
        if length > MAX_OBJECT_BYTES {
            return Err(self.failed(format!("{length} bytes are more than the 5 TiB of one object")));
        }
        if length > PART_BYTES {
            return self.put_parts(file, length, PART_BYTES, condition);
        }
        let send = || {
            file.seek(SeekFrom::Start(0))?;
            let action = PutObject::new(self.bucket(), self.credentials(), self.key());
            let request = self.agent().put(self.signed(action).as_str()).header("content-length", length);
            let request = condition.on(request).config().timeout_send_body(Some(Self::patience(length))).build();
            request.send(SendBody::from_reader(&mut *file))
        };
        self.asked(persist(send)).map(drop)
    }

    /// Writes the whole of `file`, with this many bytes per part: the object is then the new one, or unchanged.
    pub(super) fn put_parts(
        &self,
        file: &mut File,
        length: u64,
        part: u64,
        condition: Condition,
    ) -> Result<(), S3Error> {
        let upload = self.begin()?;
        let part = part.max(length.div_ceil(MOST_PARTS));
        let done =
            self.send_parts(file, (length, part), &upload).and_then(|tags| self.complete(&upload, &tags, condition));
        done.map_err(|err| match self.abort(&upload) {
            Ok(()) => err,
            Err(_) => S3Error {
                why: match err.why {
                    Why::Other(what) => Why::Other(format!(
                        "{what}; the parts that were sent could not be removed: add a lifecycle rule to the bucket \
                         that aborts incomplete uploads"
                    )),
                    why => why,
                },
                ..err
            },
        })
    }

    /// The name of a new upload.
    fn begin(&self) -> Result<String, S3Error> {
        let send = || {
            let action = CreateMultipartUpload::new(self.bucket(), self.credentials(), self.key());
            self.agent().post(self.signed(action).as_str()).send_empty()
        };
        let answer = self.asked(persist(send))?;
        let text = told(answer);
        inside(&text, "UploadId")
            .map(str::to_owned)
            .ok_or_else(|| self.failed("the server returned no upload id".to_owned()))
    }

    /// Sends every part; returns their tags.
    fn send_parts(&self, file: &mut File, (length, part): (u64, u64), upload: &str) -> Result<Vec<String>, S3Error> {
        let mut tags = Vec::new();
        let mut at = 0;
        while at < length {
            let n_bytes = part.min(length - at);
            // At most ten thousand parts.
            let number = u16::try_from(tags.len() + 1).unwrap_or(u16::MAX);
            let send = || {
                file.seek(SeekFrom::Start(at))?;
                let action = UploadPart::new(self.bucket(), self.credentials(), self.key(), number, upload);
                let request = self.agent().put(self.signed(action).as_str()).header("content-length", n_bytes);
                let request = request.config().timeout_send_body(Some(Self::patience(n_bytes))).build();
                request.send(SendBody::from_reader(&mut (&mut *file).take(n_bytes)))
            };
            let answer = self.asked(persist(send))?;
            let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            tags.push(tag.ok_or_else(|| self.failed(format!("the server returned no ETag for part {number}")))?);
            at += n_bytes;
        }
        Ok(tags)
    }

    /// Combines the parts to the object.
    fn complete(&self, upload: &str, tags: &[String], condition: Condition) -> Result<(), S3Error> {
        let tags = || tags.iter().map(String::as_str);
        let body = CompleteMultipartUpload::new(self.bucket(), self.credentials(), self.key(), upload, tags()).body();
        let mut n_tries = 0;
        let send = || {
            n_tries += 1;
            let action = CompleteMultipartUpload::new(self.bucket(), self.credentials(), self.key(), upload, tags());
            condition.on(self.agent().post(self.signed(action).as_str())).send(body.as_str())
        };
        let answer = match self.asked(persist(send)) {
            // A lost response may have been a success: then the upload no longer exists.
            Err(err) if n_tries > 1 && err.why == Why::NotThere => {
                let what = "a response was lost, so it is unknown whether the object was written: check it, or write \
                            it again";
                return Err(self.failed(what.to_owned()));
            }
            answer => answer?,
        };
        // An error while the parts are combined has the status 200.
        let text = told(answer);
        match inside(&text, "Code") {
            None => Ok(()),
            Some("PreconditionFailed" | "ConditionalRequestConflict") => Err(self.because(Why::Changed)),
            Some(code) => Err(self.failed(format!("the server could not put the parts together: {code}"))),
        }
    }

    fn abort(&self, upload: &str) -> Result<(), S3Error> {
        let send = || {
            let action = AbortMultipartUpload::new(self.bucket(), self.credentials(), self.key(), upload);
            self.agent().delete(self.signed(action).as_str()).call()
        };
        match self.asked(persist(send)) {
            // The upload no longer exists.
            Err(err) if err.why == Why::NotThere => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// A successful response.
    fn asked(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, S3Error> {
        let answer = answer.map_err(|err| self.failed(unreachable(&err)))?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.refused(answer)) }
    }
}

fn told(answer: Response<Body>) -> String {
    answer.into_body().with_config().limit(ANSWER).lossy_utf8(true).read_to_string().unwrap_or_default()
}
