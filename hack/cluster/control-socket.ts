import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import type { NodeRef } from "./node/cluster-with-node.ts";

/** What the running cluster says of itself. */
export interface ClusterState {
	/** The process that holds it. */
	readonly pid: number;
	/** Absent until everything answers. */
	readonly ready?: {
		readonly server: string;
		readonly kubeconfig: string;
		readonly kubectl: string;
		/** Absent where the cluster keeps it to itself. */
		readonly auditLog?: string;
		/** Where pods run, if they do. */
		readonly node?: NodeRef;
	};
	/** Milliseconds since it began to start. */
	readonly ageMs: number;
}

/**
 * Its name in the working directory, which is the cluster's folder: paths of
 * sockets may not be longer than about a hundred bytes.
 */
const SOCKET = "control.sock";

/**
 * Answers other processes that ask about the cluster in the working directory.
 * Nothing is kept in files that could be out of date, and no process is ended by
 * its number, which may be another's by now.
 */
export async function listenForControl(
	state: () => ClusterState,
	/** Ends the cluster, and then this process. */
	stop: () => Promise<void>,
): Promise<AsyncDisposable> {
	// Who died left it behind.
	await rm(SOCKET, { force: true });
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.once("data", (question) => {
			const isStop = question.toString() === "stop";
			if (!isStop) {
				socket.end(JSON.stringify(state()));
				return;
			}
			// The connection ends with this process, and so does the wait of who asked.
			socket.unref();
			void stop().then(() => socket.write(JSON.stringify(state())));
		});
	});
	server.listen(SOCKET);
	await once(server, "listening");
	return {
		[Symbol.asyncDispose]: async () => {
			server.close();
			await rm(SOCKET, { force: true });
		},
	};
}

/** What the cluster in the working directory says; undefined when none runs. */
export async function askCluster(
	question: "status" | "stop",
): Promise<ClusterState | undefined> {
	const socket = connect(SOCKET);
	try {
		await once(socket, "connect");
	} catch {
		return undefined; // No socket, or nobody behind it.
	}
	socket.write(question);
	const answer = await text(socket);
	return answer === "" ? undefined : (JSON.parse(answer) as ClusterState);
}
