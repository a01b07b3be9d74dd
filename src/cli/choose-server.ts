import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Environment, SettingOrigin } from "../settings/read-settings.ts";
import { flagName } from "../settings/setting.ts";

/** Whom a command asks. */
export type ChosenServer =
	| { readonly is: "direct" }
	| { readonly is: "cluster" }
	/** The one that runs with the state directory, if one does; else the cluster. */
	| { readonly is: "direct, else cluster" }
	| { readonly is: "contradiction"; readonly problem: string };

const directSettings = ["server", "stateDir"] as const;
const clusterSettings = ["kubeconfig", "context", "lateenNamespace"] as const;

/**
 * Whom a command asks, by what was said and how strongly: a flag before a
 * variable before the name that the program was called by.
 */
export function chooseServer(
	origins: ReadonlyMap<string, SettingOrigin>,
	isPlugin: boolean,
): ChosenServer {
	for (const origin of ["flag", "environment"] as const) {
		const said = (names: readonly string[]) =>
			names.filter((name) => origins.get(name) === origin);
		const [direct] = said(directSettings);
		const [cluster] = said(clusterSettings);
		if (origin === "flag" && direct !== undefined && cluster !== undefined)
			return {
				is: "contradiction",
				problem: `--${flagName(direct)} asks a server directly, and --${flagName(cluster)} asks through an API server: give one of them.`,
			};
		if (direct !== undefined) return { is: "direct" };
		if (cluster !== undefined) return { is: "cluster" };
		if (origin === "flag" && isPlugin) return { is: "cluster" };
	}
	return { is: "direct, else cluster" };
}

/** Whether there is something that says how to reach an API server, without looking into it. */
export function kubeconfigIsThere(environment: Environment): boolean {
	return (
		(environment["KUBECONFIG"] ?? "") !== "" ||
		(environment["KUBERNETES_SERVICE_HOST"] ?? "") !== "" ||
		existsSync(join(environment.HOME ?? "/", ".kube/config"))
	);
}
