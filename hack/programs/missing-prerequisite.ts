/** Something that we cannot install is missing; the message is one sentence that says what to do. */
export class MissingPrerequisite extends Error {
	override readonly name = "MissingPrerequisite";
}
