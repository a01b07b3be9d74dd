/*
 * A process that answers one watch with many objects, for `kube-source.ts`.
 *
 * Prints its port. A request to `/beat` writes each object once more into the
 * open watch, with nothing changed that is used.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { benchPod, benchSlice } from "./kube-objects.ts";

const [kind = "", countText = ""] = process.argv.slice(2);
const count = Number(countText);
const make = kind === "pods" ? benchPod : benchSlice;
let version = 1;
let open: ServerResponse | undefined;

function lines(type: string, beat: number): Buffer {
	const parts: string[] = [];
	for (let index = 0; index < count; index++)
		parts.push(
			`${JSON.stringify({ type, object: make(index, ++version, beat) })}\n`,
		);
	return Buffer.from(parts.join(""));
}

function bookmark(endsInitial: boolean): string {
	const annotations = endsInitial
		? { "k8s.io/initial-events-end": "true" }
		: {};
	const object = {
		metadata: { resourceVersion: String(++version), annotations },
	};
	return `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
}

const first = lines("ADDED", 0);
const again = lines("MODIFIED", 1);
const server = createServer((request, response) => {
	if (request.url === "/beat") {
		open?.write(again);
		open?.write(bookmark(false));
		response.end(String(again.length));
		return;
	}
	open = response;
	response.write(first);
	response.write(bookmark(true));
});
server.listen(0, "127.0.0.1", () => {
	console.log((server.address() as AddressInfo).port);
});
