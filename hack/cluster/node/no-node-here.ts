import { MissingPrerequisite } from "../../programs/missing-prerequisite.ts";

/** This machine can hold no node, whatever is installed on it; the message is a sentence that says why and what to do instead. */
export class NoNodeHere extends MissingPrerequisite {}
