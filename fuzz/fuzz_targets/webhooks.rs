//! Webhook deliveries: signatures, compared with a plain HMAC, and events of arbitrary bytes.

#![no_main]

use classify_fuzz::check_error;
use classify_proto::Secret;
use classify_proto::webhooks::{Event, SignatureError, verify};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

/// Returns the signature header of a delivery with this secret.
fn signature_header(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

struct Input<'a> {
    secret: &'a str,
    header: Option<&'a [u8]>,
    flip: u8,
    body: &'a [u8],
}

impl<'a> Input<'a> {
    /// Three bytes are the length of the secret, the length of the header (255: no header) and the index of the byte to
    /// flip. The secret, the header and the body follow.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let [secret, header, flip, rest @ ..] = data else {
            return None;
        };
        let (secret, rest) = rest.split_at_checked(usize::from(*secret))?;
        let (header, body) = match *header {
            255 => (None, rest),
            length => {
                let (header, body) = rest.split_at_checked(usize::from(length))?;
                (Some(header), body)
            }
        };
        Some(Self {
            secret: std::str::from_utf8(secret).ok()?,
            header,
            flip: *flip,
            body,
        })
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::parse(data) else {
        return;
    };
    match Event::parse(input.body) {
        Ok(event) => {
            let _ = (format!("{event:?}"), event.occurred_at());
            assert_ne!(event.job_id(), Some(""));
            assert_ne!(event.dedup_key().as_deref(), Some(""));
            // In a string, it is the same event.
            if let Ok(text) = std::str::from_utf8(input.body)
                && !text.trim_ascii_start().starts_with('"')
            {
                let wrapped = serde_json::to_vec(text).expect("text");
                assert_eq!(Event::parse(&wrapped).expect("the same event"), event);
            }
        }
        Err(error) => check_error(&error),
    }

    let secrets = [Secret::new("another"), Secret::new(input.secret)];
    let good = signature_header(input.secret, input.body);
    let expected = if input.secret.is_empty() {
        Err(SignatureError::Mismatch)
    } else {
        Ok(())
    };
    assert_eq!(
        verify(input.body, Some(good.as_bytes()), &secrets),
        expected
    );
    assert_eq!(
        verify(input.body, None, &secrets),
        Err(SignatureError::Missing)
    );
    let mut bad = good.clone().into_bytes();
    let index = usize::from(input.flip) % bad.len();
    bad[index] ^= 1;
    assert!(
        verify(input.body, Some(&bad), &secrets).is_err(),
        "a byte is another"
    );
    let mut longer = input.body.to_vec();
    longer.push(input.flip);
    assert!(verify(&longer, Some(good.as_bytes()), &secrets).is_err());
    if let Some(header) = input.header {
        let is_valid = verify(input.body, Some(header), &secrets).is_ok();
        let equals = |good: &str| header.trim_ascii().eq_ignore_ascii_case(good.as_bytes());
        let matches_either =
            equals(&signature_header("another", input.body)) || (expected.is_ok() && equals(&good));
        assert_eq!(is_valid, matches_either);
    }
});
