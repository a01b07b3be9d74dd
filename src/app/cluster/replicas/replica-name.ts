/** Longest name of which the names of Leases and reports can be made. */
const maxLength = 200;

/**
 * The name of this replica: the one that was given, else one that no other
 * process has, from the name of the machine and a few random letters.
 */
export function replicaNameOf(
	given: string | undefined,
	machine: string,
	random: string,
): string {
	const text = given ?? `${machine.slice(0, maxLength)}-${random}`;
	const name = text
		.toLowerCase()
		.replaceAll(/[^a-z0-9-]/g, "-")
		.replaceAll(/^-+|-+$/g, "")
		.slice(-maxLength)
		.replace(/^-+/, "");
	return name === "" ? `replica-${random}` : name;
}
