import type { Credentials, KubeAccess } from "../../src/kube/kube-access.ts";
import type { ScriptedApiServer } from "./scripted-api-server.ts";

/** The way to a scripted server, with credentials of the test's own if it has any. */
export function scriptedAccess(
	server: ScriptedApiServer,
	load: KubeAccess["load"] = async () => nobody,
): KubeAccess {
	return {
		server: server.url,
		serverName: undefined,
		insecure: false,
		namespace: "default",
		headers: {},
		load,
	};
}

const nobody: Credentials = {
	ca: undefined,
	authorization: undefined,
	certificate: undefined,
};
