import type { clientSchema } from "../settings/schema.ts";
import type { Values } from "../settings/setting.ts";
import { chooseServer, kubeconfigIsThere } from "./choose-server.ts";
import type { Call } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { DirectControlPlane } from "./direct-control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { plain } from "./print-table.ts";
import { readServeFile } from "./server-client.ts";

/** A call of a command that asks a control plane. */
export type ControlPlaneCall = Pick<
	Call<typeof clientSchema>,
	"terminal" | "usageError" | "origins"
> & {
	readonly values: Values<typeof clientSchema> & {
		readonly namespace: string | undefined;
	};
};

/**
 * Finds the control plane that a call is about, does something with it and lets go of it.
 *
 * Guarantees: what was missing in its answers is said, and is no success.
 */
export async function withControlPlane(
	call: ControlPlaneCall,
	use: (plane: ControlPlane) => Promise<ExitCode>,
): Promise<ExitCode> {
	const { terminal, origins, usageError } = call;
	const chosen = chooseServer(origins, terminal.isPlugin);
	if (chosen.is === "contradiction") return usageError(chosen.problem);
	await using plane = await open(call, chosen.is);
	const code = await use(plane);
	for (const sentence of plane.missing) terminal.err(`${plain(sentence)}\n`);
	return plane.missing.length > 0 && code === exitCode.ok
		? exitCode.failed
		: code;
}

async function open(
	{ values, terminal }: ControlPlaneCall,
	chosen: "direct" | "cluster" | "direct, else cluster",
): Promise<ControlPlane> {
	const { environment } = terminal;
	const isDirect =
		chosen === "direct" ||
		(chosen === "direct, else cluster" &&
			((await readServeFile(values.stateDir)) !== undefined ||
				!kubeconfigIsThere(environment)));
	if (isDirect)
		return new DirectControlPlane(values, values.namespace ?? "default");
	// It takes a tenth of a second to load, which nobody pays who asks directly.
	const { openCluster } = await import("./cluster/open-cluster.ts");
	return openCluster({
		kubeconfig: values.kubeconfig,
		context: values.context,
		namespace: values.namespace,
		lateenNamespace: values.lateenNamespace,
		environment,
	});
}
