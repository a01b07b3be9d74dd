/**
 * The process in a node's namespaces that starts everything else there.
 *
 * It ends with its holder, however that ends; then the namespaces' first process
 * ends, and so the kernel ends all others.
 */
import { mkdir } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { ControlPlane } from "../control-plane.ts";
import type { HostAnswer, HostRequest } from "./messages.ts";
import { NODE_ADDRESS, Node, prepareNode, serviceRanges } from "./node.ts";

let plane: ControlPlane | undefined;
let node: Node | undefined;

process.on("disconnect", () => process.exit(1));
process.on("message", (request: HostRequest, server: Server | undefined) => {
	void answer(request, server);
});

async function answer(
	request: HostRequest,
	server: Server | undefined,
): Promise<void> {
	switch (request.kind) {
		case "start":
			await start(request, server).catch((error: unknown) =>
				tell({ kind: "crashed", why: printError(error) }),
			);
			return;
		case "stop":
			await node?.[Symbol.asyncDispose]();
			await plane?.[Symbol.asyncDispose]();
			process.exit(0);
	}
}

async function start(
	request: HostRequest & { kind: "start" },
	server: Server | undefined,
): Promise<void> {
	const { dir, apiPort, programs, name, plugins, options } = request;
	process.chdir(dir);
	server?.on("connection", (socket) => {
		const inner = connect(apiPort, "127.0.0.1");
		socket.on("error", () => inner.destroy());
		inner.on("error", () => socket.destroy());
		socket.pipe(inner).pipe(socket);
	});
	tell({ kind: "relaying" });
	await mkdir("node", { recursive: true });
	await prepareNode(dir);
	node = new Node({ dir, programs, name, plugins });
	const [started] = await Promise.all([
		ControlPlane.start(dir, programs, {
			...options,
			node: { address: NODE_ADDRESS, apiPort, services: serviceRanges() },
		}),
		node.startContainerd(),
	]);
	plane = started;
	await node.join(plane);
	const { kubeconfig, server: address, auditLog } = plane;
	tell({ kind: "ready", kubeconfig, server: address, auditLog });
	const crash = await Promise.race([plane.crash, node.crash]);
	tell({ kind: "crashed", why: crash });
}

function tell(answer: HostAnswer): void {
	process.send?.(answer);
}

function printError(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	return "stderr" in error
		? `${error.message}\n${String(error.stderr).trim()}`
		: error.message;
}
