use std::rc::Rc;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::fields::text;
use super::host::Host;
use crate::base::{Code, Error};
use crate::log::batch::Compression;
use crate::platform::compressing::{Recode, Recoding};

impl Recode for Rc<Host> {
    fn recode(&self, compression: Compression, bytes: &[u8], compress: bool) -> Recoding<'_> {
        late_recode(self, compression, Uint8Array::from(bytes), compress)
    }
}

#[inline(never)]
fn late_recode(host: &Host, compression: Compression, given: Uint8Array, compress: bool) -> Recoding<'_> {
    Box::pin(async move {
        recoded(host, compression, &given, compress).await.map_err(|thrown| {
            let message =
                text(&thrown, "message").unwrap_or_else(|| "the codec failed without a reason".into());
            Error::new(Code::UnsupportedCompressionType, message)
        })
    })
}

async fn recoded(
    host: &Host,
    compression: Compression,
    given: &Uint8Array,
    compress: bool,
) -> Result<Vec<u8>, JsValue> {
    let recode = host.method("recode")?;
    let promise: Promise =
        recode.call3(&host.object, &(compression as i32).into(), given, &compress.into())?.dyn_into()?;
    Ok(JsFuture::from(promise).await?.dyn_into::<Uint8Array>()?.to_vec())
}
