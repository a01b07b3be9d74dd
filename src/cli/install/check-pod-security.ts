import { recordIn, textIn } from "../../injector/json.ts";
import { resources } from "../../kube/resources.ts";
import { injectLabel } from "../../reconcilers/injection-registration.ts";
import { fewOf, type Said } from "./finding.ts";
import type { ApiServer } from "./open-api-server.ts";

/** Label by which a namespace enforces a level of Pod Security; what it enforces without one, only the API server's own settings say. */
const levelLabel = "pod-security.kubernetes.io/enforce";

/** Which namespaces ask for proxies and enforce a level of Pod Security that takes no pod with one. */
export async function checkPodSecurity({
	client,
}: ApiServer): Promise<readonly Said[]> {
	const names = new Map<string, string[]>();
	const found = client.listAll(
		resources.Namespace,
		{
			labelSelector: `${injectLabel}=true,${levelLabel} in (baseline,restricted)`,
		},
		{ metadataOnly: true },
	);
	for await (const { metadata, content } of found) {
		const labels = recordIn(recordIn(content, "metadata"), "labels");
		const level = textIn(labels, levelLabel);
		names.set(level, [...(names.get(level) ?? []), metadata.name]);
	}
	return [...names].map(([level, namespaces]) => ({
		verdict: "problem",
		message: `Namespaces that ask for proxies and take no new pod with one, because they enforce the level ${level} of Pod Security, which forbids NET_ADMIN, by which lateen-capture leads traffic to proxies: ${fewOf(namespaces)}. Label them ${levelLabel}=privileged, with ${levelLabel.replace("enforce", "warn")}=${level} to be told of all else; or take ${injectLabel} away.`,
	}));
}
