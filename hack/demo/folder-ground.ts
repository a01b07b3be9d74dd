import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Parts } from "../programs/parts.ts";
import type { Ground } from "./ground.ts";
import { LATEEN } from "./run-lateen.ts";
import { waitFor } from "./wait-for.ts";

/** The demo on a folder of files, which the control plane watches; proxies prove who they are by tokens of its own. */
export function folderGround(
	stateDir: string,
	parts: Parts,
	say: (step: string) => void,
): Ground {
	const proof = () => Promise.resolve(["--state-dir", stateDir]);
	return {
		address: "127.0.0.1",
		async serve(files) {
			const part = parts.start("control-plane", process.execPath, [
				...[LATEEN, "serve", `--source=directory:${files}`],
				...["--state-dir", stateDir, "--xds-listen", "127.0.0.1:0"],
				...["--log-format", "text"],
			]);
			const { xds } = await waitFor(
				parts,
				"the control plane to serve",
				async () =>
					JSON.parse(await readFile(join(stateDir, "serve.json"), "utf8")),
			);
			say(`control plane: xDS on ${xds}`);
			return part;
		},
		sidecarProof: proof,
		gatewayProof: proof,
		publish: () => Promise.resolve(),
	};
}
