/**
 * A program: a gRPC client that is its own proxy. It makes the calls that its
 * parent sends, all on one channel, and sends back how often who answered.
 *
 * GRPC_XDS_BOOTSTRAP names its bootstrap; the library reads it when it is loaded.
 */
import { Client, credentials } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";
import { callGrpc } from "./grpc-echo.ts";

/** Calls to make. */
export interface ProxylessCalls {
	readonly count: number;
	readonly headers: Readonly<Record<string, string>>;
}

register();
const client = new Client(process.argv[2] ?? "", credentials.createInsecure());

process.on("message", (message) => {
	const { count, headers } = message as ProxylessCalls;
	void answers(count, headers).then((tally) => process.send?.(tally));
});
process.on("disconnect", () => process.exit());

async function answers(
	count: number,
	headers: ProxylessCalls["headers"],
): Promise<Readonly<Record<string, number>>> {
	const tally: Record<string, number> = {};
	for (let left = count; left > 0; left -= 50) {
		const batch = Array.from({ length: Math.min(left, 50) }, () =>
			callGrpc(client, headers),
		);
		for (const from of await Promise.all(batch))
			tally[from] = (tally[from] ?? 0) + 1;
	}
	return tally;
}
