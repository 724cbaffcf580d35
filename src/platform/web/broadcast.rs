use std::cell::RefCell;

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

use super::dom::property;
use crate::platform::ports::Bus;

#[wasm_bindgen]
extern "C" {
    type BroadcastChannel;

    #[wasm_bindgen(constructor, catch)]
    fn new(name: &str) -> Result<BroadcastChannel, JsValue>;

    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &BroadcastChannel, message: &Uint8Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, setter)]
    fn set_onmessage(this: &BroadcastChannel, listener: Option<&Function>);

    #[wasm_bindgen(method)]
    fn close(this: &BroadcastChannel);

    /// Only in Node, where an open channel keeps the process alive.
    #[wasm_bindgen(method)]
    fn unref(this: &BroadcastChannel);

    type MessageEvent;

    #[wasm_bindgen(method, getter)]
    fn data(this: &MessageEvent) -> JsValue;
}

/// A BroadcastChannel to the other tabs and workers of the origin. It is left when it is dropped.
pub struct BroadcastBus {
    name: String,
    channel: RefCell<Option<BroadcastChannel>>,
    listener: RefCell<Option<Listener>>,
}

type Listener = Closure<dyn FnMut(MessageEvent)>;

impl BroadcastBus {
    /// Joins the channel of the log `name`. Where there are no channels it reaches nobody.
    pub fn open(name: &str) -> Self {
        let name = format!("headwater/{name}");
        let channel = RefCell::new(join(&name));
        Self { name, channel, listener: RefCell::default() }
    }

    /// False where messages reach nobody, because there is no BroadcastChannel.
    pub fn supported(&self) -> bool {
        self.channel.borrow().is_some()
    }

    /// Gives every message of another node to `listener`.
    pub fn listen(&self, listener: impl Fn(&[u8]) + 'static) {
        let channel = self.channel.borrow();
        let Some(channel) = channel.as_ref() else { return };
        let handler = Closure::new(move |event: MessageEvent| {
            // Anything else comes from a page that uses the same name for something of its own.
            if let Ok(bytes) = event.data().dyn_into::<Uint8Array>() {
                listener(&bytes.to_vec());
            }
        });
        channel.set_onmessage(Some(handler.as_ref().unchecked_ref()));
        self.listener.replace(Some(handler));
    }

    /// Leaves the channel until [`Self::resume`]: a page that is cached is thrown away at the first message.
    pub fn suspend(&self) {
        if let Some(channel) = self.channel.take() {
            channel.set_onmessage(None);
            channel.close();
        }
    }

    /// Joins the channel again.
    pub fn resume(&self) {
        let (listener, mut channel) = (self.listener.borrow(), self.channel.borrow_mut());
        if let (Some(listener), None) = (listener.as_ref(), channel.as_ref()) {
            *channel = join(&self.name);
            if let Some(channel) = channel.as_ref() {
                channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
            }
        }
    }

    /// Leaves the channel: nothing is sent or heard any more.
    pub fn close(&self) {
        self.suspend();
        self.listener.take();
    }
}

fn join(name: &str) -> Option<BroadcastChannel> {
    let channel = BroadcastChannel::new(name).ok()?;
    if property(&channel, "unref").is_some() {
        channel.unref();
    }
    Some(channel)
}

impl Bus for BroadcastBus {
    fn send(&self, message: &[u8]) {
        if let Some(channel) = self.channel.borrow().as_ref() {
            // A closed channel refuses; a message is a hint, and may be lost.
            let _ = channel.post_message(&Uint8Array::from(message));
        }
    }
}

impl Drop for BroadcastBus {
    fn drop(&mut self) {
        self.close();
    }
}
