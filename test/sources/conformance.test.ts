import { parseObject } from "../../src/api/parse-object.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { createDirectorySource } from "../../src/sources/directory.ts";
import { createKubernetesSource } from "../../src/sources/kubernetes.ts";
import { MemorySource } from "../testkit/memory-source.ts";
import { scriptedAccess } from "../testkit/scripted-access.ts";
import { ScriptedApiServer } from "../testkit/scripted-api-server.ts";
import { describeSource, type Outside } from "../testkit/source-conformance.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

describeSource("a directory", async (): Promise<Outside> => {
	const folder = new TemporaryFolder();
	return {
		source: () =>
			createDirectorySource({
				name: "directory",
				root: folder.path,
				clock: systemClock,
				problems: () => undefined,
				report: () => undefined,
				graceMs: 20,
			}),
		write: (manifest) =>
			folder.write(`${manifest.metadata.name}.json`, JSON.stringify(manifest)),
		remove: (name) => folder.remove(`${name}.json`),
		async [Symbol.asyncDispose]() {
			folder[Symbol.dispose]();
		},
	};
});

describeSource("memory", async (): Promise<Outside> => {
	// What is outside outlives a source; each source starts from all of it.
	const manifests = new Map<string, unknown>();
	let current: MemorySource | undefined;
	const tell = (source: MemorySource, manifest: unknown) => {
		const parsed = parseObject(manifest);
		if (parsed.kind === "ignored") throw new Error("a kind that is not read");
		if (parsed.kind === "object") {
			source.apply({ op: "put", object: parsed.object });
		} else source.apply({ op: "put-invalid", invalid: parsed.invalid });
	};
	return {
		source() {
			current = new MemorySource("memory");
			for (const manifest of manifests.values()) tell(current, manifest);
			return current;
		},
		write(manifest) {
			manifests.set(manifest.metadata.name, manifest);
			if (current !== undefined) tell(current, manifest);
		},
		remove(name) {
			manifests.delete(name);
			const ref = { kind: "RouteRule", namespace: "default", name };
			current?.apply({ op: "delete", ref });
		},
		async [Symbol.asyncDispose]() {},
	};
});

for (const streams of ["yes", "no"] as const) {
	const how = streams === "yes" ? "streamed lists" : "pages";
	describeSource(
		`a Kubernetes API server with ${how}`,
		async (): Promise<Outside> => {
			const server = await ScriptedApiServer.start({ streams });
			const connection = openConnection(scriptedAccess(server), {
				clock: systemClock,
				userAgent: "lateen/test",
			});
			return {
				source: () =>
					createKubernetesSource({
						name: "kubernetes",
						connection,
						clock: systemClock,
						logger: silentLogger,
					}),
				write: (manifest) => server.put({ ...manifest }),
				remove: (name) => server.remove("RouteRule", name),
				async [Symbol.asyncDispose]() {
					await connection[Symbol.asyncDispose]();
					await server[Symbol.asyncDispose]();
				},
			};
		},
	);
}
