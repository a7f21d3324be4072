/** Scoring for those who do not embed: requests as JSON, in files and over HTTP. */
package org.llm4msr.app.serve;
