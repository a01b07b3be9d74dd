/** The options of commands that ask about what has a namespace. */
export const namespaceOption = {
	namespace: {
		type: "text",
		short: "n",
		placeholder: "NAMESPACE",
		help: "Namespace of what is named without one; by default that of the kubeconfig's context, and `default` where a server is asked directly",
	},
} as const;

/** The same for commands that list. */
export const namespacesOption = {
	...namespaceOption,
	allNamespaces: {
		type: "boolean",
		short: "A",
		help: "What is in all namespaces",
	},
} as const;
