//! The protocol: JSON-RPC on stdin and stdout. The only module that uses `rmcp`.
//!
//! The runtime has one thread. Calls run on its blocking threads, so that a call that waits does not delay the others.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer, ServerInitializeError, ServiceExt as _};
use rmcp::transport::io::stdio_pipes;
use rmcp::{ErrorData, ServerHandler};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;

use super::tools::{ToolCall, ToolName, ToolProgress, ToolText, Tools};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::signals::TerminationSignals;

/// The shortest time between two progress notifications of a call.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// The maximum number of calls that are worked on at once; others wait.
const MAX_CALLS: usize = 32;

/// Serves until stdin is closed, or a signal ends the process.
pub(super) fn serve(tools: &Arc<Tools>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_CALLS)
        .build()
        .map_err(|error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("cannot start the server: {error}"),
            )
        })?;
    let is_closed = Arc::new(AtomicBool::new(false));
    let result = runtime.block_on(run(Arc::clone(tools), Arc::clone(&is_closed)));
    // Calls that wait return soon.
    is_closed.store(true, Ordering::SeqCst);
    // A read of stdin cannot be cancelled on every system.
    runtime.shutdown_background();
    result
}

async fn run(tools: Arc<Tools>, is_closed: Arc<AtomicBool>) -> Result<(), CliError> {
    let (stdin, stdout) = stdio_pipes();
    let stdin = ClosingReader {
        inner: stdin,
        is_closed: Arc::clone(&is_closed),
    };
    let server = Server {
        texts: tools.texts(),
        tools,
        is_closed,
    };
    let mut signals = TerminationSignals::install();
    let serving = async {
        match server.serve((stdin, stdout)).await {
            Ok(service) => {
                // Both ends are normal: the client closed the pipe, or it cancelled the session.
                let _ = service.waiting().await;
                Ok(())
            }
            Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
            Err(_) => Err(CliError::usage(
                "the first message on stdin is not an `initialize` request of the Model Context Protocol",
            )
            .hint("an MCP client starts this command; see docs/agents.md")),
        }
    };
    tokio::select! {
        result = serving => result,
        () = signals.recv() => Ok(()),
    }
}

struct Server {
    tools: Arc<Tools>,
    texts: Vec<ToolText>,
    /// Whether stdin is closed. Calls that wait then end.
    is_closed: Arc<AtomicBool>,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let implementation = Implementation::new("llamacloud-prod", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(self.tools.instructions())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.texts.iter().map(tool).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(name) = ToolName::find(&request.name) else {
            let message = format!(
                "unknown tool {:?}; tools/list lists the tools",
                request.name
            );
            return Err(ErrorData::invalid_params(message, None));
        };
        let (sender, receiver) = watch::channel(None);
        let tools = Arc::clone(&self.tools);
        let arguments = request.arguments.unwrap_or_default();
        let cancellation = context.ct.clone();
        let is_closed = Arc::clone(&self.is_closed);
        let work = tokio::task::spawn_blocking(move || {
            let call = ToolCall {
                is_cancelled: &|| cancellation.is_cancelled() || is_closed.load(Ordering::SeqCst),
                report: &|progress| drop(sender.send_replace(Some(progress))),
            };
            tools.call(name, arguments, &call)
        });
        // Ends with the call, which owns the sender.
        notify_progress(&context, receiver).await;
        let result = match work.await {
            Ok(Ok(result)) => CallToolResult::structured(result),
            Ok(Err(error)) => error_result(&error),
            Err(_) => return Err(ErrorData::internal_error("the call panicked", None)),
        };
        Ok(result.into())
    }
}

/// Sends the progress of a call, if the client asked for it, until the sender is dropped.
async fn notify_progress(
    context: &RequestContext<RoleServer>,
    mut receiver: watch::Receiver<Option<ToolProgress>>,
) {
    let token = context.meta.get_progress_token();
    let mut last = None;
    let mut is_open = true;
    while is_open {
        is_open = receiver.changed().await.is_ok();
        let progress = receiver.borrow_and_update().clone();
        if let (Some(token), Some(progress)) = (&token, progress)
            // The protocol wants each value to be larger than the one before.
            && last.is_none_or(|last| progress.done > last)
        {
            last = Some(progress.done);
            let param = progress_param(token.clone(), progress);
            let _ = context.peer.notify_progress(param).await;
            // The end of the call is not delayed by a pause, and its last value is sent.
            let _ = tokio::time::timeout(PROGRESS_INTERVAL, closed(receiver.clone())).await;
        }
    }
}

/// Waits until the sender is dropped.
async fn closed(mut receiver: watch::Receiver<Option<ToolProgress>>) {
    while receiver.changed().await.is_ok() {}
}

#[expect(clippy::cast_precision_loss, reason = "numbers of documents are small")]
fn progress_param(
    token: rmcp::model::ProgressToken,
    progress: ToolProgress,
) -> ProgressNotificationParam {
    ProgressNotificationParam::new(token, progress.done as f64)
        .with_total(progress.total as f64)
        .with_message(progress.message)
}

/// Returns an error as the command line prints it with `--format json`, so that the agent can correct the call.
fn error_result(error: &CliError) -> CallToolResult {
    let json = match error.report() {
        Some(report) => report.to_json(),
        None => serde_json::json!({"error": {"message": "stopped"}}),
    };
    let mut result = CallToolResult::error(vec![ContentBlock::text(json.to_string())]);
    result.structured_content = Some(json);
    result
}

fn tool(text: &ToolText) -> Tool {
    let annotations = ToolAnnotations::new()
        .read_only(text.is_read_only)
        .destructive(false)
        .idempotent(true)
        .open_world(text.is_open_world);
    Tool::new(
        text.name,
        Cow::Owned(text.description.clone()),
        Arc::new(text.input.clone()),
    )
    .with_title(text.title)
    .with_raw_output_schema(Arc::new(text.output.clone()))
    .with_annotations(annotations)
}

/// A reader that notes its end.
struct ClosingReader<R> {
    inner: R,
    is_closed: Arc<AtomicBool>,
}

impl<R: AsyncRead + Unpin> AsyncRead for ClosingReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let is_end = match &poll {
            Poll::Ready(Ok(())) => buffer.filled().len() == before,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if is_end {
            self.is_closed.store(true, Ordering::SeqCst);
        }
        poll
    }
}
