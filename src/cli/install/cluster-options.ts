import { clientSchema } from "../../settings/schema.ts";
import type { Schema } from "../../settings/setting.ts";

/** Options of commands about an installation: which cluster, and where in it. */
export const clusterOptions = {
	namespace: {
		type: "text",
		short: "n",
		default: "lateen-system",
		placeholder: "NAMESPACE",
		help: "Namespace of Lateen itself",
	},
	kubeconfig: {
		...clientSchema.kubeconfig,
		help: "How to reach the API server; by default what `KUBECONFIG` names, then `~/.kube/config`",
	},
	context: {
		...clientSchema.context,
		help: "Context of the kubeconfig to use instead of its current one",
	},
} as const satisfies Schema;
