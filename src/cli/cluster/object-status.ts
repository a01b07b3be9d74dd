import { isRecord } from "../../api/fields.ts";
import type { StatusKind } from "../status-kinds.ts";

type Content = Readonly<Record<string, unknown>>;

/** An object of the API server in the form that `/v1/status` has. */
export function statusObject(
	{ kind, isNamespaced }: StatusKind,
	content: Content,
): unknown {
	const metadata = recordIn(content, "metadata");
	const { name, namespace, generation, creationTimestamp } = metadata;
	return {
		kind,
		namespace: isNamespaced ? namespace : "",
		name,
		generation,
		createdAt: creationTimestamp,
		destination: destinationOf(kind, recordIn(content, "spec"), namespace),
		status: recordIn(content, "status"),
	};
}

/** What it shapes traffic to, in a word. */
function destinationOf(
	kind: string,
	spec: Content,
	namespace: unknown,
): string {
	const { name, host, namespace: other } = recordIn(spec, "destination");
	const { hosts } = spec;
	if (Array.isArray(hosts) && kind === "ExternalService")
		return hosts.map(String).join(",");
	if (typeof name !== "string") return typeof host === "string" ? host : "";
	return typeof other !== "string" || other === namespace
		? name
		: `${other}/${name}`;
}

function recordIn(value: Content, name: string): Content {
	const found = value[name];
	return isRecord(found) ? found : {};
}
